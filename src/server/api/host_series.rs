//! What machines did over time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError, query::Params};
use crate::series::hosts;
use clawpool_core::{figures::Step, task::Timestamp};
use clawpool_engine::client::host_series::{HostSeriesView, HostWindowView, HostWindowsView};

pub(super) const STEPS: [Step; 3] = [Step::TenSeconds, Step::Minute, Step::QuarterHour];
/// How far an answer goes back when the client does not say, and how many windows it has then.
const SPAN: Duration = Duration::from_secs(3600);
const WINDOWS: u32 = 60;
/// Windows of one answer at most: of one machine, and of all.
const MOST_OF_ONE: u32 = 3_000;
const MOST_OF_ALL: u32 = 120;

/// Of all machines, or of one.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<HostSeriesView>, ApiError> {
    caller.oversees()?;
    let step = params.value::<Step>("step")?;
    let to = params.time("to")?.unwrap_or_else(Timestamp::now);
    let from = params.time("from")?;
    let host = params.text("host");
    params.done()?;
    let from = from.unwrap_or_else(|| before(to, SPAN));
    let span = to.since(from);
    let step = step.unwrap_or_else(|| fitting(span));
    check(step, span, host.is_some())?;
    let mut hosts: BTreeMap<String, Vec<HostWindowView>> = BTreeMap::new();
    for window in hosts::windows(&*api.store, step, from, to).await? {
        let wanted =
            window.hosts.into_iter().filter(|(name, _)| host.as_ref().is_none_or(|host| host == name));
        for (name, figures) in wanted {
            let view =
                HostWindowView { at: window.at, samples: figures.samples(), machine: figures.machine() };
            hosts.entry(name).or_default().push(view);
        }
    }
    let items = hosts.into_iter().map(|(host, windows)| HostWindowsView { host, windows }).collect();
    Ok(Json(HostSeriesView { step: step.to_string(), step_s: step.length().as_secs(), items }))
}

/// The shortest step with which the span has few windows.
fn fitting(span: Duration) -> Step {
    let fits = |step: &Step| step.length() * WINDOWS >= span;
    STEPS.into_iter().find(fits).unwrap_or(Step::QuarterHour)
}

fn check(step: Step, span: Duration, is_of_one: bool) -> Result<(), ApiError> {
    if !STEPS.contains(&step) {
        let names = STEPS.map(Step::name).join(", ");
        let message = format!("the figures of machines have no step {step}: ask for one of {names}");
        return Err(ApiError::field("step", message));
    }
    let most = if is_of_one { MOST_OF_ONE } else { MOST_OF_ALL };
    if span > step.length() * most {
        let message = format!(
            "from and to are more than {most} windows of {step} apart: ask for a shorter time or for a \
            longer step, or name one host, of which {MOST_OF_ONE} are told"
        );
        return Err(ApiError::field("from", message));
    }
    Ok(())
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(span.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_fits_the_span_and_the_answer_is_bounded() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (span, step) in [
            (Duration::from_secs(600), Step::TenSeconds),
            (hours(1), Step::Minute),
            (hours(15), Step::QuarterHour),
            (hours(720), Step::QuarterHour),
        ] {
            assert_eq!(fitting(span), step, "{span:?}");
        }
        assert!(check(Step::QuarterHour, hours(720), true).is_ok(), "all that is kept, of one");
        assert!(check(Step::QuarterHour, hours(720), false).is_err());
        assert!(check(Step::Day, hours(1), true).is_err());
    }
}
