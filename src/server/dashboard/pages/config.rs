//! The configuration as it holds, and where each value comes from.

use askama::Template;
use clawpool_engine::client::view::{ConfigView, SettingView};

use crate::dashboard::{layout::Layout, register::Shown, visit::Visit, words::cut};

#[derive(Template)]
#[template(path = "config.html")]
struct Config {
    layout: Layout,
    /// Those that are no defaults, and then all of each section.
    changed: Vec<SettingView>,
    sections: Vec<Section>,
}

struct Section {
    name: String,
    settings: Vec<SettingView>,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let view: ConfigView = visit.get("/v1/config").await?;
    let mut sections: Vec<Section> = Vec::new();
    let mut changed = Vec::new();
    for mut setting in view.items {
        setting.value = cut(&setting.value, 2_000);
        let name = setting.key.split(['.', '[']).next().unwrap_or_default().to_owned();
        if setting.origin.is_some() {
            changed.push(setting.clone());
        }
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.settings.push(setting),
            None => sections.push(Section { name, settings: vec![setting] }),
        }
    }
    visit.answer(&Config { layout: visit.layout("Configuration"), changed, sections })
}
