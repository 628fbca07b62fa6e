//! Configuration files.

use super::Config;

/// Loads the bytes as a configuration file: it is refused by name, or the same after a dump.
pub fn file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Secrets are read from where the file says, and a fuzzer must not read what it likes.
    if text.contains("file:") {
        return;
    }
    match Config::load_from(|sources| sources.text(&text, "fuzz.toml"), &[], &[]) {
        Ok(config) => {
            let dump = config.to_toml();
            let again = Config::load_from(|sources| sources.text(&dump, "dump.toml"), &[], &[]);
            if let Ok(again) = again {
                assert_eq!(
                    again.to_toml(),
                    dump,
                    "a configuration changes when it is written and read again"
                );
            }
        }
        Err(errors) => errors.0.iter().for_each(|error| {
            assert!(!error.rule.is_empty() && !error.fix.is_empty(), "{error:?}");
            let names = !error.key.is_empty() || matches!(error.code, "CP-1001" | "CP-1002" | "CP-1009");
            assert!(names, "a mistake names no key: {error:?}");
        }),
    }
}
