//! Clawpool: a worker pool driven by message queues.
