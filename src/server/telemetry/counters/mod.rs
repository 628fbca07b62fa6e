//! The counters of the Windows performance monitor: which there are, what they say, and how they are
//! published.
//!
//! Guarantees: a new value costs a store to memory; the system reads it when somebody looks. Ids and names
//! keep their meaning from version to version. Never does: ask a store, or fail a program whose counters
//! cannot be published.

mod manifest;
mod provider;
mod registration;
mod requests;
mod table;

pub use manifest::{manifest, provider};
pub use provider::Provider;
pub use registration::is_registered;
pub(crate) use requests::count_request;
pub use requests::requests;
pub use table::{COUNTERS, Counter, Reading, Shape};

/// Under which the system knows the program's counters, and the set that they are in. Never to be changed.
const PROVIDER: u128 = 0xeeb8_17ea_1313_4355_b805_0f71_db4f_7dbc;
const SET: u128 = 0x650b_3372_0dc7_4a5a_8ff2_d5dc_3ed4_0711;
