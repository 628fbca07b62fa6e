use clap::{Command, CommandFactory, Parser, error::ErrorKind};

use crate::cli::Cli;

#[test]
fn the_commands_are_consistent() {
    Cli::command().debug_assert();
}

/// Every command's help in one text, so that a changed flag shows in review.
#[test]
fn help() {
    let mut pages = Vec::new();
    let mut root = Cli::command().term_width(100);
    root.build();
    page(&mut root, &mut pages);
    insta::assert_snapshot!(pages.join("\n"));
}

fn page(command: &mut Command, pages: &mut Vec<String>) {
    let root = command.get_name() == "clawpool";
    // Once is enough.
    let mut shown = command.clone();
    if !root {
        for global in ["config", "set", "url", "ca", "token", "json"] {
            shown = shown.mut_arg(global, |arg| arg.hide(true));
        }
    }
    pages.push(format!("# {}\n{}", command.get_bin_name().unwrap_or("clawpool"), shown.render_help()));
    for child in command.get_subcommands_mut().filter(|child| child.get_name() != "help") {
        page(child, pages);
    }
}

#[test]
fn wrong_usage_is_refused() {
    let refused = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap_err().kind();
    assert_eq!(refused("clawpool enqueue"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("clawpool enqueue a --priority P7"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool enqueue a --delay soon"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool enqueue a --explain --wait 1s"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("clawpool enqueue a --file b.jsonl"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("clawpool enqueue a --idempotency-key gr\u{fc}n"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool enqueue --file b --idempotency-key k"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("clawpool dead show 7"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool queues pause"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("clawpool queues pause a:\u{e9}"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool queues add low"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("clawpool tokens add shop"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("clawpool tokens add shop --scope root"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool tokens add shop --scope read --expires soon"), ErrorKind::ValueValidation);
    assert_eq!(refused("clawpool audit --outcome maybe"), ErrorKind::ValueValidation);
}

#[test]
fn the_token_is_not_printed() {
    let cli = Cli::try_parse_from(["clawpool", "--token", "very-secret", "health"]).unwrap();
    assert!(!format!("{cli:?}").contains("very-secret"), "INV-10");
}
