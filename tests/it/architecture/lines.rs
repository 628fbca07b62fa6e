//! No line of a source is longer than the formatter's width, which leaves comments and literals as they are.
//! The only exception are raw literals: what they hold is compared or parsed as it stands.

use std::{collections::HashSet, fs, path::Path};

use proc_macro2::{TokenStream, TokenTree};

const WIDTH: usize = 110;

#[test]
fn no_line_is_too_long() {
    let files = super::rust_files(&["src", "workers", "examples", "tests", "benches", "load-tests"]);
    let told = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(super::root()).unwrap_or(Path::new("")).display();
        long_lines(&text).into_iter().map(|line| format!("{name}:{line}")).collect::<Vec<_>>()
    });
    assert_eq!(told.collect::<Vec<_>>(), [""; 0], "longer than {WIDTH} columns");
}

fn long_lines(text: &str) -> Vec<usize> {
    let long = |line: &str| line.chars().count() > WIDTH;
    let found: Vec<usize> =
        (1..).zip(text.lines()).filter(|(_, line)| long(line)).map(|(at, _)| at).collect();
    if found.is_empty() {
        return found;
    }
    let mut raw = HashSet::new();
    lines_of_raw_literals(text.parse().unwrap(), &mut raw);
    found.into_iter().filter(|line| !raw.contains(line)).collect()
}

fn lines_of_raw_literals(tokens: TokenStream, found: &mut HashSet<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => lines_of_raw_literals(group.stream(), found),
            TokenTree::Literal(literal) if literal.to_string().starts_with('r') => {
                found.extend(literal.span().start().line..=literal.span().end().line);
            }
            _ => {}
        }
    }
}

#[test]
fn long_lines_are_seen_in_code_comments_and_literals_but_not_in_raw_ones() {
    let long = "x".repeat(WIDTH);
    let text = format!(
        "// {long}\nfn a() {{ b(\"{long}\") }}\n/// {long}\nfn c() {{\n    d(r\"\n{long}x\n\")\n}}\n"
    );
    assert_eq!(long_lines(&text), [1, 2, 3]);
    assert_eq!(long_lines(&format!("//{}", &long[2..])), [0; 0]);
}
