//! The roles that serve all: dispatcher, supervisor, autoscaler.

pub mod api;
pub mod app;
pub mod autoscale;
mod dashboard;
mod health;
mod ingress;
mod maintenance;
pub mod reload;
mod series;
pub mod supervise;
pub mod telemetry;
