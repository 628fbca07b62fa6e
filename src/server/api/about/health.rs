use crate::api::openapi::About;
use clawpool_engine::client::health::{HealthView, ReadyView};

pub(in crate::api) fn live() -> About {
    About::new("live", "Says that the process turns").answers_as(200, "text/plain", "It does.")
}

pub(in crate::api) fn ready() -> About {
    About::new("ready", "Says whether tasks are taken")
        .answers_with::<ReadyView>(200, "They are.")
        .answers_with::<ReadyView>(503, "They are not, with the reasons.")
}

pub(in crate::api) fn health() -> About {
    About::new("health", "Tells all that is known of how the pool is")
        .answers_with::<HealthView>(200, "Healthy or degraded.")
        .answers_with::<HealthView>(503, "Unhealthy or starting.")
}
