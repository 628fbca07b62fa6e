use crate::api::openapi::About;
use clawpool_engine::client::view::{ReloadRefusedView, ReloadView};

pub(in crate::api) fn show() -> About {
    About::new("show_config", "Shows the configuration as it holds, and where each value comes from")
        .answers(200, "Every value, secrets hidden.")
}

pub(in crate::api) fn reload() -> About {
    About::new("reload_config", "Reads the configuration again")
        .answers_with::<ReloadView>(200, "What holds now, and what does not yet.")
        .answers_with::<ReloadRefusedView>(422, "It has mistakes: nothing was changed. All of them are told.")
        .refuses([409])
}
