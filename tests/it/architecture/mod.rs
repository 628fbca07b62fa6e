//! The rules of ARCHITECTURE.md that the compiler does not know: which room may use what.

mod attributes;
mod floors;
mod imports;
mod lines;
mod reader;

use std::{
    fs,
    path::{Path, PathBuf},
};

use floors::{FLOORS, IO, KNOWN_BY_PURE, PURE, PURE_CRATES, READS_SETTINGS, SEAMS, floor, lies_in, room};
use reader::{Import, Reader, Target};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// What it has to say against an import.
type Rule = fn(&Import) -> Option<String>;

const RULES: [Rule; 5] =
    [goes_down, stays_pure, only_readers_read, stays_behind_its_seam, knows_that_it_is_unix];

#[test]
fn every_import_keeps_the_rules() {
    let imports = Reader::read().imports;
    assert!(imports.len() > 1000, "the reader sees next to nothing: {}", imports.len());
    let told = imports
        .iter()
        .flat_map(|import| RULES.into_iter().filter_map(move |rule| Some((import, rule(import)?))));
    let breach = |(import, why): (&Import, String)| {
        format!("{}:{} imports {}: {why}", import.file, import.line, import.target)
    };
    assert_eq!(told.map(breach).collect::<Vec<_>>(), [""; 0]);
}

/// A room imports rooms of lower floors.
fn goes_down(import: &Import) -> Option<String> {
    let Target::Ours(path) = &import.target else { return None };
    let from = room(&import.module);
    let to = room(path);
    let own = floor(from);
    let other = floor(to);
    let why = || format!("{from} is on floor {own}, {to} on floor {other}; a room imports lower floors only");
    (from != to && other >= own).then(why)
}

/// A pure room does no I/O, and knows no room that does.
fn stays_pure(import: &Import) -> Option<String> {
    let from = room(&import.module);
    match &import.target {
        _ if !PURE.contains(&from) => None,
        Target::Ours(path) => {
            let to = room(path);
            let may = PURE.contains(&to) || KNOWN_BY_PURE.contains(&(from, to));
            (!may).then(|| format!("{from} is pure, and {to} does I/O"))
        }
        Target::Crate(path) => {
            let may = PURE_CRATES.contains(&path[0].as_str()) && !does_io(path);
            (!may).then(|| format!("{from} is pure, and this is not in PURE_CRATES, or does I/O"))
        }
    }
}

fn does_io(path: &[String]) -> bool {
    path[0] == "tokio" || path[0] == "std" && path.get(1).is_some_and(|part| IO.contains(&part.as_str()))
}

/// The values of the configuration do no I/O.
fn only_readers_read(import: &Import) -> Option<String> {
    let Target::Crate(path) = &import.target else { return None };
    let reads = READS_SETTINGS.iter().any(|reader| lies_in(&import.module, reader));
    let is_value = lies_in(&import.module, "config") && !reads;
    // Of `std::net` they need addresses.
    let io = does_io(path) && path.get(1).is_none_or(|part| part != "net");
    (is_value && io).then(|| format!("of config, only {} read anything", READS_SETTINGS.join(", ")))
}

/// The types of a server's client stay in its modules.
fn stays_behind_its_seam(import: &Import) -> Option<String> {
    let Target::Crate(path) = &import.target else { return None };
    let (_, homes) = SEAMS.iter().find(|(crates, _)| crates.contains(&path[0].as_str()))?;
    let is_home = homes.iter().any(|home| lies_in(&import.module, home));
    (!is_home).then(|| format!("{} stays in {}", path[0], homes.join(" and ")))
}

/// A file with calls of Unix says so.
fn knows_that_it_is_unix(import: &Import) -> Option<String> {
    let Target::Crate(path) = &import.target else { return None };
    let is_unix = ["std/os/unix", "tokio/signal/unix"].iter().any(|call| lies_in(path, call));
    let text = || fs::read_to_string(root().join(&import.file)).unwrap();
    (is_unix && !text().contains("cfg(unix)")).then(|| "the file has no cfg(unix)".to_owned())
}

#[test]
fn every_exception_is_needed() {
    let imports = Reader::read().imports;
    for known in KNOWN_BY_PURE {
        let is_needed = imports.iter().any(|import| match &import.target {
            Target::Ours(path) => (room(&import.module), room(path)) == known,
            Target::Crate(_) => false,
        });
        assert!(is_needed, "take {known:?} out of KNOWN_BY_PURE: it is needed no more");
    }
    for reader in READS_SETTINGS {
        let is_needed = imports.iter().any(|import| match &import.target {
            Target::Ours(_) => false,
            Target::Crate(path) => lies_in(&import.module, reader) && does_io(path),
        });
        assert!(is_needed, "take {reader} out of READS_SETTINGS: it reads nothing any more");
    }
}

/// Otherwise a file would be read by no test, and a room without a floor might import anything.
#[test]
fn every_file_is_read_and_every_room_has_a_floor() {
    let read = Reader::read().files;
    for file in rust_files(&["src", "workers"]) {
        let module =
            read.get(&file).unwrap_or_else(|| panic!("no module of the library is {}", file.display()));
        let is_root = module.is_empty() || module[0] == "lib";
        assert!(is_root || room(module) != "lib", "give {} a floor in FLOORS", module[0]);
    }
    for room in FLOORS.into_iter().flatten().filter(|room| **room != "lib") {
        assert!(read.values().any(|module| lies_in(module, room)), "FLOORS has {room}, which is not there");
    }
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What was built, where a package is no member of the workspace.
                folders.extend((!path.ends_with("target")).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_document_has_the_table_of_floors() {
    let row = |rooms: &&[&str]| format!("| {} | `{}` |\n", floor(rooms[0]), rooms.join("`, `"));
    let table: String = FLOORS.iter().map(row).collect();
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().replace("\r\n", "\n");
    assert!(document.contains(&table), "ARCHITECTURE.md has another table of floors than FLOORS:\n{table}");
}

#[test]
fn breaches_are_seen_and_name_both_floors() {
    let path = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let import =
        |module: &str, target: Target| Import { file: "a.rs".into(), line: 7, module: path(module), target };
    let ours = |module, target: &str| import(module, Target::Ours(path(target)));

    let why = goes_down(&ours("store::redis", "worker::Worker")).unwrap();
    let floors = format!("store is on floor {}, worker on floor {};", floor("store"), floor("worker"));
    assert!(why.starts_with(&floors), "{why}");
    assert!(goes_down(&ours("store::open", "broker::Broker")).is_some(), "the same floor is not a lower one");
    assert!(goes_down(&ours("scaling::table", "autoscale::control::Book")).is_some());
    assert!(
        goes_down(&ours("worker", "store::Store")).is_none()
            && goes_down(&ours("store", "store::redis")).is_none()
    );

    let of = |module, target: &str| stays_pure(&import(module, Target::Crate(path(target))));
    for target in ["std::fs::read", "tokio::time::sleep", "redis::cmd", "reqwest::Client"] {
        assert!(of("retry::table", target).is_some() && of("worker", target).is_none(), "{target}");
    }
    assert!(of("task", "std::time::Duration").is_none() && of("task", "serde::Serialize").is_none());
    assert!(stays_pure(&ours("retry", "config::Config")).is_some());

    let seam = |module, target: &str| stays_behind_its_seam(&import(module, Target::Crate(path(target))));
    assert!(
        seam("worker::claim", "redis::cmd").is_some() && seam("store::redis::link", "redis::cmd").is_none()
    );
    let reads = |module, target: &str| only_readers_read(&import(module, Target::Crate(path(target))));
    assert!(
        reads("config::pools", "std::fs").is_some() && reads("config::reading::source", "std::fs").is_none()
    );
}
