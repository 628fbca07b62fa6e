use std::fmt::{self, Write};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer};

use super::AttemptLog;
use clawpool_core::task::LogSource;

/// Adds what handlers log with `tracing` to the logs of their attempts, as far as the subscriber's filters
/// let it through. What a handler logs in tasks that it spawned itself is not among it; those have
/// [`Context::log`](super::Context::log).
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLayer;

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let Some(log) = AttemptLog::current().filter(AttemptLog::is_kept) else { return };
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        log.line(LogSource::Log, &text.0);
    }
}

/// The level, the message, and the other fields by name.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::{super::attempt_log::Logs, *};
    use clawpool_backends::store::LogRules;
    use clawpool_core::task::{LogLine, TaskId};

    #[tokio::test]
    async fn events_of_a_handler_are_lines_of_its_attempt() {
        let logs = Logs::new(LogRules { most: 1000, keep: Duration::from_secs(60) });
        let _guard = tracing::subscriber::set_default(Registry::default().with(LogLayer));
        tracing::info!("outside of all attempts");
        let handler = async { tracing::warn!(mails = 3, to = "ada", "sent") };
        logs.of(TaskId::new(), 1).around(handler).await;
        let (pieces, _) = logs.take();
        let lines: Vec<String> = LogLine::read(&pieces[0].lines).map(|line| line.text).collect();
        assert_eq!(lines, ["WARN sent mails=3 to=ada"]);
    }
}
