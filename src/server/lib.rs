//! The roles that serve all: dispatcher, supervisor, autoscaler.

pub mod api;
pub mod app;
pub mod autoscale;
pub mod health;
pub mod ingress;
pub mod maintenance;
pub mod supervise;
pub mod telemetry;
