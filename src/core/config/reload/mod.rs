//! What becomes of a configuration that is read again while a program runs: how far each key reaches.
//!
//! Guarantees: what is adopted holds together by every rule of a configuration; what is not is named. Never
//! does: read anything.

mod adopt;
mod changes;
mod reach;
#[cfg(test)]
mod tests;

pub use self::{
    adopt::Adopted,
    reach::{Part, Reach},
};
