//! Every stable error code: what it means and what to do (`clawpool explain CP-1203`).
//!
//! Guarantees: every code that the program can print is here, and every code here is printed somewhere (a
//! test reads the sources); a code never changes its meaning, and one that is given up is not used again.

mod commands;
mod config;
mod doors;
mod pools;
mod servers;
mod services;
mod tasks;

use serde::Serialize;

/// A stable error code, as `clawpool explain` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// `CP-` and four digits.
    pub code: &'static str,
    /// What went wrong, in a few words.
    pub title: &'static str,
    /// When the program says this.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

type Row = (&'static str, &'static str, &'static str, &'static str);

const TABLES: [&[Row]; 7] =
    [config::ROWS, tasks::ROWS, servers::ROWS, doors::ROWS, pools::ROWS, commands::ROWS, services::ROWS];

/// All codes, in order.
pub fn all() -> impl Iterator<Item = Code> {
    TABLES.into_iter().flatten().map(|&(code, title, meaning, remedy)| Code { code, title, meaning, remedy })
}

/// `CP-1203`, `cp-1203` or `1203`.
pub fn find(text: &str) -> Option<Code> {
    let digits = text.trim().trim_start_matches(['c', 'C', 'p', 'P', '-']);
    all().find(|code| code.code.strip_prefix("CP-") == Some(digits))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The codes in the sources under a folder, this table's own apart.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        let table = &Path::new(env!("CARGO_MANIFEST_DIR")).join("codes").canonicalize().unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == *table {
                continue;
            }
            if path.is_dir() {
                codes_in(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let digits = text.split("CP-").skip(1).filter_map(|rest| rest.get(..4));
                let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                found.extend(digits.map(|digits| format!("CP-{digits}")));
            }
        }
    }

    #[test]
    fn the_table_and_the_sources_agree() {
        let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let mut used = BTreeSet::new();
        codes_in(&root.join("src"), &mut used);
        codes_in(&root.join("workers"), &mut used);
        let listed: BTreeSet<String> = all().map(|code| code.code.to_owned()).collect();
        assert_eq!(used.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the table");
        assert_eq!(listed.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "not used anywhere");
    }

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = all().map(|code| code.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }

    #[test]
    fn every_spelling_finds_its_code() {
        for text in ["CP-1203", "cp-1203", "1203", " CP-1203\n"] {
            assert_eq!(find(text).unwrap().title, "Queue full");
        }
        assert_eq!(find("CP-9"), None);
    }
}
