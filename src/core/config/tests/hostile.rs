use proptest::prelude::*;

use super::*;

const SECTIONS: [&str; 12] = [
    "worker.slots",
    "rules",
    "classes.P0",
    "api.tokens",
    "retry",
    "handlers",
    "worker.patience",
    "queues",
    "limits.payload",
    "classes.default",
    "profile",
    "worker.queues",
];

const VALUES: [&str; 14] = [
    "-1",
    "1.5",
    "\"x\"",
    "[]",
    "{}",
    "[1]",
    "[{}]",
    "true",
    "1979-05-27",
    "{ x = 1 }",
    "[[1], [2]]",
    "99999999999999999",
    "{ high = {} }",
    "[\"high\", 3, \"nix\"]",
];

proptest! {
    /// Whatever the file holds, loading ends in a configuration or a report.
    #[test]
    fn no_file_breaks_loading(text in "([a-zA-Z0-9_.=\"'\\[\\]{}, \n#-]|slots|worker|rules|= \
        1\n|\\[\\[handlers\\]\\]\n){0,60}") {
        if let Err(errors) = load(&text, &[], &[]) {
            prop_assert!(!errors.0.is_empty());
        }
    }

    #[test]
    fn no_value_breaks_loading(
        section in prop::sample::select(&SECTIONS[..]),
        value in prop::sample::select(&VALUES[..]),
    ) {
        if let Err(errors) = load("", &[], &[&format!("{section}={value}")]) {
            prop_assert!(errors.to_string().contains("CP-10"));
        }
    }
}
