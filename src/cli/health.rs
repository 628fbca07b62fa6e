use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{fields, moment, plain},
};
use crate::api::view::{HealthView, Status};

/// Whether the dispatcher, its broker and its store are well; exit code 1 when not
#[derive(Debug, Args)]
pub struct Health {}

impl Health {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let view = globals.client()?.health().await?;
        globals.output().show(&view, details)?;
        match view.status {
            Status::Healthy => Ok(()),
            Status::Unhealthy => Err(Failure::negative()),
        }
    }
}

fn details(view: &HealthView) -> String {
    let service = |name: &str| view.services.get(name).map(|state| plain(state, 400));
    fields([
        ("status", Some(format!("{:?}", view.status).to_lowercase())),
        ("broker", service("broker")),
        ("store", service("store")),
        ("version", Some(plain(&view.version, 40))),
        ("instance", Some(plain(&view.instance_id, 80))),
        ("time", Some(moment(view.timestamp))),
    ])
}
