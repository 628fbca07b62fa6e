//! The roles that serve all: dispatcher, supervisor, autoscaler.

pub mod api;
pub mod app;
pub mod autoscale;
mod health;
mod ingress;
mod maintenance;
mod series;
pub mod supervise;
pub mod telemetry;
