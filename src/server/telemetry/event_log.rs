//! Errors in the Windows event log. Elsewhere a service's standard error is kept by the system itself.

#[cfg(windows)]
pub use windows::{layer, report};

/// Writes what could not be said anywhere else.
#[cfg(not(windows))]
pub fn report(_: &str, message: &str) {
    tracing::error!("{message}");
}

#[cfg(windows)]
mod windows {
    use std::{
        io::{self, Write},
        sync::Arc,
    };

    use eventlog::EventLog;
    use log::{Level, Log, Record};
    use tracing::{Subscriber, level_filters::LevelFilter};
    use tracing_subscriber::{Layer, fmt, registry::LookupSpan};

    use super::super::pretty::Fields;

    /// Sends every error to the event log. Without a source, or where the system has no event log, it does
    /// nothing.
    pub fn layer<S>(source: Option<&str>) -> Option<Box<dyn Layer<S> + Send + Sync>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let log = Arc::new(EventLog::new(source?, Level::Error).ok()?);
        let layer = fmt::layer().fmt_fields(Fields).with_ansi(false).without_time().with_level(false);
        Some(layer.with_writer(move || Line(Arc::clone(&log))).with_filter(LevelFilter::ERROR).boxed())
    }

    /// Writes what could not be said anywhere else.
    pub fn report(source: &str, message: &str) {
        tracing::error!("{message}");
        if !tracing::dispatcher::has_been_set()
            && let Ok(log) = EventLog::new(source, Level::Error)
        {
            send(&log, message);
        }
    }

    fn send(log: &EventLog, message: &str) {
        log.log(&Record::builder().level(Level::Error).args(format_args!("{message}")).build());
    }

    /// The format layer writes an event with one call.
    struct Line(Arc<EventLog>);

    impl Write for Line {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            send(&self.0, String::from_utf8_lossy(text).trim_end());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
