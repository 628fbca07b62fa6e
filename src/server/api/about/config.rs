use crate::api::openapi::About;
use clawpool_engine::client::view::{ReloadRefusedView, ReloadView};

pub(in crate::api) fn reload() -> About {
    About::new("reload_config", "Reads the configuration again")
        .answers_with::<ReloadView>(200, "What holds now, and what does not yet.")
        .answers_with::<ReloadRefusedView>(422, "It has mistakes: nothing was changed. All of them are told.")
        .refuses([409])
}
