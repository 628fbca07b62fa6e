//! What README.md, CONTRIBUTING.md and docs/ tell users to type, as it stands there.
//!
//! The word after a block's language says how it is run; see `Page::script`. The blocks of one page are one
//! script, in an empty folder with the repository's `config` and `examples`. In place of port 7070 stands one
//! that is free.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::support::{Process, Servers, free_port};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Where the program serves unless it is told otherwise.
const ADDRESS: &str = "127.0.0.1:7070";

/// Goes on when the server that was started last answers.
const ANSWERS: &str = "until clawpool health >/dev/null 2>&1; do sleep 0.1; done\n";

/// Lets the servers drain; one may have left already.
const LEAVES: &str = "kill $(jobs -p) || true\nwait\n";

/// The tokens of config/production.toml.
const TOKENS: [&str; 3] = ["CLAWPOOL_PRODUCER_TOKEN", "CLAWPOOL_AGENT_TOKEN", "CLAWPOOL_ADMIN_TOKEN"];

/// What a browser has and node lacks.
const BROWSER: &str = include_str!("documents/browser.mjs");

struct Page {
    name: String,
    text: String,
}

/// A fenced block: the words after the fence, and what stands in it.
struct Block {
    words: String,
    text: String,
}

fn pages() -> Vec<Page> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    let names = ["README.md", "CONTRIBUTING.md"].map(str::to_owned).into_iter().chain(docs);
    let read = |name: String| Page { text: fs::read_to_string(Path::new(ROOT).join(&name)).unwrap(), name };
    names.map(read).collect()
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let parts = self.text.split("\n```").skip(1).step_by(2);
        let block = |part: &str| {
            let (words, text) = part.split_once('\n').unwrap();
            Block { words: words.to_owned(), text: format!("{text}\n") }
        };
        parts.map(block).collect()
    }

    /// The page's commands, in their order.
    fn script(&self, folder: &Path) -> String {
        let blocks = self.blocks();
        let own = blocks.iter().any(|block| ["sh up", "sh cluster"].contains(&block.words.as_str()));
        let mut script = String::from("set -ex\n");
        if !own {
            script += &format!("clawpool up &\n{ANSWERS}");
        }
        for (number, block) in blocks.iter().enumerate() {
            script += &self.commands(block, &folder.join(format!("{number}.toml")));
        }
        script + LEAVES
    }

    fn commands(&self, block: &Block, file: &Path) -> String {
        let text = &block.text;
        match block.words.as_str() {
            "sh" => text.clone(),
            // A server, which runs while the rest of the page is run.
            "sh up" | "sh cluster" => format!("(exec {text}) &\n{ANSWERS}"),
            // It would change the machine: its options are read, and it says its help.
            "sh system" => {
                format!("{} --help\n", text.trim().replace("sudo ", "").replace(" &&", " --help &&"))
            }
            // It takes long, or is what runs this test.
            "sh repository" => {
                text.lines().for_each(|line| self.is_there(line));
                String::new()
            }
            "toml" => {
                fs::write(file, text).unwrap();
                format!("clawpool --config {} config check\n", file.display())
            }
            "rust" => {
                let example = fs::read_to_string(Path::new(ROOT).join("examples/email_worker.rs")).unwrap();
                let parts = text.trim().split("\n\n");
                parts.for_each(|part| {
                    assert!(example.contains(part), "{}: not in the example: {part}", self.name)
                });
                String::new()
            }
            // tests/compose/run and tests/windows/run read them there.
            "sh compose" if self.name == "docs/compose.md" => String::new(),
            "bat" if self.name == "docs/windows.md" => String::new(),
            // Until it has told of a queue.
            "js" => {
                let file = file.with_extension("mjs");
                fs::write(&file, format!("{BROWSER}{text}")).unwrap();
                format!("timeout 120 node {}\n", file.display())
            }
            "text" => String::new(),
            words => panic!("{}: nothing runs a block of {words:?}", self.name),
        }
    }

    /// A command of the repository: cargo's own, a recipe of the justfile, or a program.
    fn is_there(&self, line: &str) {
        let mut words = line.split_whitespace();
        let Some(program) = words.next() else { return };
        let argument = words.next().unwrap_or_default();
        let found = match program {
            "cargo" => ["run", "install", "build", "nextest"].contains(&argument),
            "just" => {
                let recipes = fs::read_to_string(Path::new(ROOT).join("justfile")).unwrap();
                recipes.lines().any(|line| line.split([' ', ':']).next() == Some(argument))
            }
            _ => fs::metadata(Path::new(ROOT).join(program))
                .is_ok_and(|file| file.permissions().mode() & 0o111 != 0),
        };
        assert!(found, "{}: there is no {line:?}", self.name);
    }

    async fn run(&self) {
        let folder = tempfile::tempdir().unwrap();
        let programs = place(folder.path());
        let address = format!("127.0.0.1:{}", free_port());
        let script = self.script(folder.path()).replace(ADDRESS, &address);
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).current_dir(folder.path());
        command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
        command.env("CLAWPOOL_URL", format!("http://{address}")).env("CLAWPOOL__API__LISTEN", &address);
        if self.text.contains("```sh cluster") {
            on_servers(&mut command);
        }
        let mut shell = Process::start(&self.name, command);
        let status = shell.ended().await;
        assert!(status.success(), "a command of {} ended with {status}", self.name);
    }
}

/// The programs as they are installed, outside of any user's home, and what the documents use of the
/// repository.
fn place(folder: &Path) -> PathBuf {
    let programs = folder.join("bin");
    fs::create_dir(&programs).unwrap();
    for built in [env!("CARGO_BIN_EXE_clawpool"), env!("CARGO_BIN_EXE_clawpool-worker")] {
        let placed = programs.join(Path::new(built).file_name().unwrap());
        fs::hard_link(built, &placed).or_else(|_| fs::copy(built, &placed).map(drop)).unwrap();
    }
    for name in ["config", "examples"] {
        symlink(Path::new(ROOT).join(name), folder.join(name)).unwrap();
    }
    programs
}

/// What an operator sets for config/production.toml.
fn on_servers(command: &mut Command) {
    let servers = Servers::shared();
    command.env("CLAWPOOL_REDIS_URL", &servers.redis).env("CLAWPOOL_RABBITMQ_URL", &servers.rabbitmq);
    command
        .env("CLAWPOOL__REDIS__PREFIX", &servers.prefix)
        .env("CLAWPOOL__RABBITMQ__PREFIX", &servers.prefix);
    for name in TOKENS {
        command.env(name, format!("{name}-of-this-test"));
    }
    // Without the file these variables would be mistakes.
    command.env("CLAWPOOL_CONFIG", "config/production.toml");
    command.env("CLAWPOOL_TOKEN", "CLAWPOOL_ADMIN_TOKEN-of-this-test");
}

#[tokio::test]
async fn every_command_of_the_documents_runs_as_it_stands() {
    let pages = pages();
    assert!(pages.len() > 10, "docs/ lacks pages");
    for page in pages {
        page.run().await;
    }
}

#[test]
fn the_readme_is_one_page() {
    let text = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    assert!(
        text.lines().count() <= 150,
        "README.md has {} lines: move some into docs/",
        text.lines().count()
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 110, "README.md: longer than 110 columns: {line}");
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let links = page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let files = links.filter(|link| !link.starts_with("http")).filter_map(|link| link.split('#').next());
        for file in files.filter(|file| !file.is_empty()) {
            let path = Path::new(ROOT).join(&page.name).with_file_name(file);
            assert!(path.exists(), "{}: there is no {file}", page.name);
        }
    }
}

/// A path is written from the root, from `src`, or from the crate that holds it.
#[test]
fn files_that_are_named_are_there() {
    let root = Path::new(ROOT);
    let crates = fs::read_dir(root.join("src")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = [root.to_owned(), root.join("src")].into_iter().chain(crates).collect();
    let architecture = "ARCHITECTURE.md".to_owned();
    let text = fs::read_to_string(root.join(&architecture)).unwrap();
    for page in pages().into_iter().chain([Page { name: architecture, text }]) {
        let named =
            page.text.split('`').filter(|word| word.contains('/') && !word.contains(char::is_whitespace));
        let named = named.filter(|word| [".rs", ".lua", ".sql"].iter().any(|end| word.ends_with(end)));
        for file in named {
            let is_there = folders.iter().any(|folder| folder.join(file).exists());
            assert!(is_there, "{}: there is no {file}", page.name);
        }
    }
}
