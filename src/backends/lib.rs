//! Brokers and stores: the two seams, and what stands behind them on RabbitMQ, Redis and SQLite.

pub mod backend;
pub mod broker;
pub mod path;
pub mod servers;
pub mod store;
mod tls;

pub use tls::install_tls;
