//! The Broker in one SQLite file.
