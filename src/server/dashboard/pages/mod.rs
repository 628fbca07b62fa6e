//! The pages, a file each: what it asks of the API, and how that is shown.

pub(super) mod advice;
pub(super) mod audit;
pub(super) mod config;
pub(super) mod dead;
pub(super) mod doctor;
pub(super) mod filter;
pub(super) mod overview;
pub(super) mod pools;
pub(super) mod promises;
pub(super) mod queues;
pub(super) mod scheduled;
pub(super) mod span;
pub(super) mod task;
pub(super) mod tasks;
pub(super) mod tiles;
pub(super) mod workers;

/// Entries of one page of a list.
pub(super) const PAGE: usize = 50;
