//! When this process begins to do what it was started for: a service manager wants to know.

use std::sync::OnceLock;

type Tell = Box<dyn Fn() + Send + Sync>;

static TELL: OnceLock<Tell> = OnceLock::new();

/// Has `tell` called by [`work_begins`]. The first call alone counts.
pub fn when_work_begins(tell: impl Fn() + Send + Sync + 'static) {
    let _ = TELL.set(Box::new(tell));
}

/// The servers answer, the ports are taken: nothing is left that could refuse this process its work.
pub fn work_begins() {
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
    fn whoever_asked_first_is_told() {
        work_begins();
        let told = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&told);
        when_work_begins(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        when_work_begins(|| unreachable!("the second is not heard"));
        work_begins();
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }
}
