//! What a visitor does: an order to the API, and a page that tells what became of it.
//!
//! Guarantees: what cannot be undone is asked for twice; after each action a reload repeats nothing. Never
//! does: decide who may; that is the API's.

mod confirm;
pub(super) mod dead;
pub(super) mod many;
pub(super) mod pools;
pub(super) mod queues;
pub(super) mod tasks;
pub(super) mod workers;
