//! Reads the library and the programs from their roots, module by module, and resolves what each imports.

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use super::imports::{Child, Imports, Written, below, imports};

/// One import, outside of tests.
#[derive(Clone)]
pub struct Import {
    pub file: String,
    pub line: usize,
    /// The module that holds it: `["broker", "redis"]`.
    pub module: Vec<String>,
    pub target: Target,
}

#[derive(Clone)]
pub enum Target {
    /// A path that begins with a room, whichever crate that is in.
    Ours(Vec<String>),
    /// A path that begins with the name of another crate.
    Crate(Vec<String>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(path) => write!(f, "crate::{}", path.join("::")),
            Self::Crate(path) => f.write_str(&path.join("::")),
        }
    }
}

/// Roots that are rooms themselves.
const ROOMS_OF_ONE_FILE: [(&str, &str); 4] = [
    ("src/lib.rs", "lib"),
    ("workers/handlers/mod.rs", "handlers"),
    ("src/program/main.rs", "main"),
    ("workers/main.rs", "main"),
];

pub struct Reader {
    root: PathBuf,
    crates: HashSet<String>,
    pub imports: Vec<Import>,
    /// Every file that was read, tests included, and the module that it is.
    pub files: HashMap<PathBuf, Vec<String>>,
}

impl Reader {
    /// All crates, with the handlers of `workers/`, and the two programs.
    pub fn read() -> Self {
        let root = super::root().to_owned();
        let crates = crates(&root);
        let mut this = Self { root: root.clone(), crates, imports: Vec::new(), files: HashMap::new() };
        for folder in ["core", "backends", "engine", "server", "program"] {
            this.file(&root.join("src").join(folder).join("lib.rs"), &[], false);
        }
        for (file, room) in ROOMS_OF_ONE_FILE {
            this.file(&root.join(file), &[room.to_owned()], false);
        }
        this
    }

    fn file(&mut self, path: &Path, module: &[String], is_test: bool) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = imports(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.files.insert(path.to_owned(), module.to_owned());
        if !is_test {
            let file = path.strip_prefix(&self.root).unwrap().to_string_lossy().replace('\\', "/");
            let resolved = found.written.iter().filter_map(|written| {
                let target = resolve(written, module, &found, &self.crates)?;
                let module = [module, &written.inside].concat();
                Some(Import { file: file.clone(), line: written.line, module, target })
            });
            self.imports.extend(resolved);
        }
        for child in &found.children {
            let inner = below(&[module, &child.inside].concat(), &child.name);
            self.file(&place(path, child), &inner, is_test || child.is_test);
        }
    }
}

/// Where the text of a module lies that is declared in the file at `path`.
fn place(path: &Path, child: &Child) -> PathBuf {
    let folder = path.parent().unwrap();
    if let Some(own) = &child.path {
        return own.split('/').fold(folder.to_owned(), |at, step| match step {
            ".." => at.parent().unwrap().to_owned(),
            step => at.join(step),
        });
    }
    let stem = path.file_stem().unwrap();
    let is_top = ["mod", "lib", "main"].iter().any(|top| stem == *top);
    let mut folder = if is_top { folder.to_owned() } else { folder.join(stem) };
    folder.extend(&child.inside);
    let file = folder.join(format!("{}.rs", child.name));
    if file.exists() { file } else { folder.join(&child.name).join("mod.rs") }
}

/// What a path means that is written in `module`; nothing where it names an item of the module itself.
fn resolve(written: &Written, module: &[String], file: &Imports, crates: &HashSet<String>) -> Option<Target> {
    let here = [module, &written.inside].concat();
    let is_root = module.first().is_some_and(|first| ROOMS_OF_ONE_FILE.iter().any(|(_, room)| first == room));
    let (first, rest) = written.segments.split_first()?;
    match first.as_str() {
        "crate" if is_root => Some(Target::Ours([&here[..1], rest].concat())),
        "crate" => Some(ours(rest)),
        "clawpool_handlers" => Some(Target::Ours([&["handlers".to_owned()], rest].concat())),
        name if name.starts_with("clawpool_") => Some(ours(rest)),
        "self" | "super" => Some(Target::Ours(from_here(here, &written.segments))),
        name => {
            if file.modules.contains(&below(&written.inside, name)) {
                return Some(Target::Ours([&here, written.segments.as_slice()].concat()));
            }
            // In code, a name that a `use` brought is whatever that brought.
            let is_crate = crates.contains(name) && (written.is_use || !file.names.contains(name));
            is_crate.then(|| Target::Crate(written.segments.clone()))
        }
    }
}

/// A path below the root of a crate that holds rooms; what a root hands on lies in the room that it is from.
fn ours(path: &[String]) -> Target {
    match path {
        [item] if item == "install_tls" => Target::Ours(vec!["tls".to_owned(), item.clone()]),
        path => Target::Ours(path.to_vec()),
    }
}

/// Where a path leads that begins with `self` or `super`.
fn from_here(mut here: Vec<String>, path: &[String]) -> Vec<String> {
    for (index, step) in path.iter().enumerate() {
        match step.as_str() {
            "self" => {}
            "super" => drop(here.pop()),
            _ => return [&here, &path[index..]].concat(),
        }
    }
    here
}

/// The names that crates have in Rust.
fn crates(root: &Path) -> HashSet<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    let names = dependencies.keys().map(|name| name.replace('-', "_"));
    names.chain(["std", "core", "alloc"].map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the text of module `store::redis` imports.
    fn read(text: &str) -> Vec<String> {
        let module = ["store", "redis"].map(str::to_owned);
        let crates = ["std", "tokio", "redis"].map(str::to_owned).into();
        let found = imports(text).unwrap();
        let targets = found.written.iter().filter_map(|written| resolve(written, &module, &found, &crates));
        targets.map(|target| target.to_string()).collect()
    }

    #[test]
    fn reads_groups_within_groups_and_what_leaves_the_module_by_super() {
        let text = "use crate::{worker::{Job, self}, task as t}; use super::super::api::*; use \
            super::{open, sqlite::Row};";
        let all = ["worker::Job", "worker", "task", "api", "store::open", "store::sqlite::Row"];
        assert_eq!(read(text), all.map(|path| format!("crate::{path}")));
        assert_eq!(read("mod inner { use super::super::Rows; }"), ["crate::store::Rows"]);
        let second = imports("use crate::{\n    task,\n};").unwrap().written.remove(0);
        assert_eq!(second.line, 2);
    }

    #[test]
    fn reads_paths_in_code_types_macros_and_attributes() {
        let text = r#"
            #[derive(crate::a::A)]
            struct One { #[serde(with = "crate::b::text")] field: Vec<crate::c::C> }
            fn two() -> impl crate::d::D {
                select! { x = crate::e::{f::g(), h} => crate::i::j(x: super::k::L) }
            }
            macro_rules! three { () => { $crate::m::n() } }
        "#;
        let found = read(text);
        for path in ["a::A", "b::text", "c::C", "d::D", "e::f::g", "e::h", "i::j", "store::k::L", "m::n"] {
            assert!(found.contains(&format!("crate::{path}")), "{path} is missing in {found:?}");
        }
    }

    #[test]
    fn tells_crates_from_modules_and_variables_of_their_names() {
        assert_eq!(read("use tokio::{fs, net::TcpStream};"), ["tokio::fs", "tokio::net::TcpStream"]);
        assert_eq!(
            read("fn a() { std::fs::read(redis); redis::cmd(1); other::x(); }"),
            ["std::fs::read", "redis::cmd"]
        );
        assert_eq!(read("use super::redis; fn a() { redis::open() }"), ["crate::store::redis"]);
        assert_eq!(read("mod redis; fn a() { redis::open() }"), ["crate::store::redis::redis::open"]);
    }

    #[test]
    fn leaves_out_what_is_for_tests_alone() {
        let tests = ["#[cfg(test)] use crate::a;", "#[cfg(all(test, unix))] mod tests { use crate::b; }"];
        tests.into_iter().for_each(|text| assert_eq!(read(text), [""; 0]));
        assert_eq!(read("#[cfg(any(test, feature = \"fuzzing\"))] use crate::a;"), ["crate::a"]);
        assert_eq!(read("impl A { #[cfg(test)] fn a() { crate::a::b() } }"), [""; 0]);
    }
}
