use super::Tracer;
use clawpool_core::config;

/// The export of spans as a part of a program, from its start to its end. In a build without the feature
/// `otlp`, or where no collector is named, it does nothing.
#[derive(Default)]
pub struct Export {
    tracer: Tracer,
    #[cfg(feature = "otlp")]
    running: Option<super::otlp::Running>,
}

impl Export {
    /// Begins, under this name of a service.
    #[cfg_attr(not(feature = "otlp"), allow(unused_variables))]
    pub fn start(settings: &config::Tracing, service: &'static str) -> Self {
        #[cfg(feature = "otlp")]
        if let Some(url) = settings.traces_url() {
            match super::otlp::start(url, settings.sample, service) {
                Ok((tracer, running)) => return Self { tracer, running: Some(running) },
                Err(error) => tracing::error!(%error, "spans are not exported"),
            }
        }
        Self::default()
    }

    /// Makes the spans.
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }

    /// Sends what is left, for a short time at most. Spans that are made later are dropped.
    #[allow(clippy::unused_async)]
    pub async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(running) = self.running {
            running.finish().await;
        }
    }
}
