//! The configuration as it holds now, for who reads it at the moment of use.
//!
//! Guarantees: who asks after a change was answered sees it; what is made of a configuration is made once
//! for each. Never does: read a file, or decide what may change.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use clawpool_core::config::Config;

/// The configuration of this process. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct Live(watch::Receiver<Arc<Config>>);

impl Live {
    /// One that is changed through the sender.
    pub fn channel(config: Config) -> (watch::Sender<Arc<Config>>, Self) {
        let (sender, receiver) = watch::channel(Arc::new(config));
        (sender, Self(receiver))
    }

    /// What holds now.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// Returns the next configuration, when one comes.
    pub async fn changed(&mut self) -> Arc<Config> {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.0.borrow_and_update())
    }
}

/// One that does not change.
impl From<Arc<Config>> for Live {
    fn from(config: Arc<Config>) -> Self {
        Self(watch::channel(config).1)
    }
}

impl From<Config> for Live {
    fn from(config: Config) -> Self {
        Self::from(Arc::new(config))
    }
}

type Make<T> = Box<dyn Fn(&Config) -> T + Send + Sync>;

/// Something that is made of the configuration, and anew when that has changed.
pub struct Derived<T> {
    live: Live,
    make: Make<T>,
    made: Mutex<(Arc<Config>, Arc<T>)>,
}

impl<T> Derived<T> {
    /// Made at once, and later only when it is asked for.
    pub fn new(live: &Live, make: impl Fn(&Config) -> T + Send + Sync + 'static) -> Self {
        let config = live.now();
        let first = Arc::new(make(&config));
        Self { live: live.clone(), make: Box::new(make), made: Mutex::new((config, first)) }
    }

    /// Of the configuration as it holds now.
    pub fn now(&self) -> Arc<T> {
        let config = self.live.now();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&made.0, &config) {
            *made = (Arc::clone(&config), Arc::new((self.make)(&config)));
        }
        Arc::clone(&made.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_slots(slots: u16) -> Config {
        let mut config = Config::default();
        config.worker.slots = slots;
        config
    }

    #[tokio::test]
    async fn what_is_made_of_a_configuration_follows_it() {
        let (sender, mut live) = Live::channel(with_slots(1));
        let slots = Derived::new(&live, |config| config.worker.slots);
        let first = slots.now();
        assert!(Arc::ptr_eq(&first, &slots.now()), "it is made once");
        sender.send_replace(Arc::new(with_slots(2)));
        assert_eq!((*slots.now(), live.changed().await.worker.slots), (2, 2));
        drop(sender);
        assert_eq!(live.now().worker.slots, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_change_waits_for_ever() {
        let mut live = Live::from(Config::default());
        let waited = tokio::time::timeout(std::time::Duration::from_secs(3600), live.changed()).await;
        assert!(waited.is_err());
    }
}
