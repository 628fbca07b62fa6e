//! Whether the terminal that this process was started in is still there.

use std::{fs::File, time::Duration};

use tokio::time::sleep;

/// A shell that leaves tells its children a moment before its terminal is closed.
const MOMENT: Duration = Duration::from_millis(200);

/// The terminal that controls this process.
pub(super) struct Terminal {
    was_there: bool,
}

impl Terminal {
    /// As it is now.
    pub(super) fn of_this_process() -> Self {
        Self { was_there: is_there() }
    }

    /// There was one, and it is gone.
    pub(super) async fn is_lost(&self) -> bool {
        if !self.was_there {
            return false;
        }
        if is_there() {
            sleep(MOMENT).await;
        }
        !is_there()
    }
}

fn is_there() -> bool {
    File::open("/dev/tty").is_ok()
}
