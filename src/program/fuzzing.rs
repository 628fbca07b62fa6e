//! Every decoder of untrusted bytes, for fuzzers (`tests/fuzz/run`) and for the test that replays what they
//! found.
//!
//! A decoder takes any bytes. It returns when the bytes were read or refused as they must be, and panics when
//! they were not: when a refusal does not say what is wrong, or when what was read comes out differently
//! after it was written again. That memory and time stay in proportion to the bytes is watched by the fuzzer.

use crate::cli;
use clawpool_backends::{broker, store};
use clawpool_core::{config, task};
use clawpool_engine::dispatch;
use clawpool_handlers as handlers;
use clawpool_server::{api, autoscale::simulate::Trace};

pub type Decoder = fn(&[u8]);

pub const DECODERS: [(&str, Decoder); 12] = [
    ("tasks", dispatch::fuzz::tasks),
    ("http_query", api::fuzz::query),
    ("amqp_headers", broker::rabbitmq::fuzz::headers),
    ("envelope", task::fuzz::envelope),
    ("spans", task::fuzz::spans),
    ("json_lines", cli::fuzz::line),
    ("exec_answer", handlers::fuzz::exec),
    ("http_answer", handlers::fuzz::http),
    ("config", config::fuzz::file),
    ("patterns", dispatch::fuzz::pattern),
    ("store_values", store::fuzz::values),
    ("trace", trace),
];

/// # Panics
/// When the decoder breaks that.
pub fn enter(name: &str, bytes: &[u8]) {
    if let Some((_, decoder)) = DECODERS.iter().find(|(decoder, _)| *decoder == name) {
        decoder(bytes);
    }
}

/// A trace of load, for `clawpool autoscaler simulate`.
fn trace(bytes: &[u8]) {
    match Trace::parse(&String::from_utf8_lossy(bytes)) {
        Ok(trace) => drop(format!("{trace:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// What fuzzers kept: small inputs that between them reach every branch they found, and those that once
    /// failed.
    #[test]
    fn the_doors_hold_against_everything_that_was_found_before() {
        for (name, decoder) in DECODERS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(name);
            let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut count = 0;
            for file in files {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let held = std::panic::catch_unwind(|| decoder(&bytes));
                assert!(held.is_ok(), "{name} does not hold against {}", path.display());
                count += 1;
            }
            assert!(count > 0, "{} is empty: run tests/fuzz/run", folder.display());
        }
    }

    #[test]
    fn every_door_has_its_fuzzer() {
        let manifest = include_str!("../../tests/fuzz/Cargo.toml");
        for (name, _) in DECODERS {
            assert!(manifest.contains(&format!("name = {name:?}")), "tests/fuzz/Cargo.toml lacks {name}");
        }
    }
}
