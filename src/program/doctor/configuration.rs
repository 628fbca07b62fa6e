//! Whether the configuration holds, and what in it may not be meant.

use super::{Site, finding::Finding};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    match &site.loaded.config {
        Ok(config) => {
            let place = match &site.file {
                Some(file) => format!("{} is valid", file.display()),
                None => "no file is named, so the defaults and the environment hold".to_owned(),
            };
            let advice = config.advice().into_iter();
            let advice = advice.map(|advice| {
                Finding::warning(
                    format!("{}: {}", advice.key, advice.text),
                    "change it, if it is not meant so",
                )
            });
            [Finding::ok(format!("{place}; {}", config.table()))].into_iter().chain(advice).collect()
        }
        Err(faults) => {
            let faults = faults.0.iter().map(|fault| {
                let origin = fault.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
                let value = fault.value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
                let text = format!("{}{value}{origin}: {}", fault.key, fault.rule);
                Finding::error(text.trim_start_matches(": "), &fault.fix).with_code(fault.code)
            });
            faults.collect()
        }
    }
}
