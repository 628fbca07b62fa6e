//! When this process begins to do what it was started for: a service manager wants to know.

use std::sync::OnceLock;

type Tell = Box<dyn Fn() + Send + Sync>;

static TELL: OnceLock<Tell> = OnceLock::new();

/// Has `tell` called by [`notify_ready`]. The first call alone counts.
pub fn on_ready(tell: impl Fn() + Send + Sync + 'static) {
    let _ = TELL.set(Box::new(tell));
}

/// The servers answer, the ports are taken: nothing is left that could refuse this process its work.
pub fn notify_ready() {
    if let Some(tell) = TELL.get() {
        tell();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[test]
    fn the_first_callback_is_called() {
        notify_ready();
        let told = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&told);
        on_ready(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        on_ready(|| unreachable!("the second is not heard"));
        notify_ready();
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }
}
