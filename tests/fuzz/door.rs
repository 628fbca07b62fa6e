//! The fuzzer of one door: the program's name says of which.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| clawpool_program::fuzzing::enter(env!("CARGO_BIN_NAME"), bytes));
