//! What a program compiles that makes tasks or runs them: the producers' door and the worker.

#![warn(missing_docs)]

pub mod alert;
pub mod client;
pub mod dispatch;
pub mod leadership;
pub mod live;
pub mod machine;
pub mod process;
pub mod trace;
pub mod worker;

pub use clawpool_backends::install_tls;
