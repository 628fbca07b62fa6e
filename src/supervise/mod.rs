//! Child processes, shutdown and leadership.
