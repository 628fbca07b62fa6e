//! What a task costs without any broker: `cargo bench --bench task_path`, or `-- codec` for a part. Figures
//! are for comparing two versions on one machine.

#![allow(clippy::unwrap_used)]

mod arbiter;
mod classifier;
mod codec;

criterion::criterion_group!(task_path, codec::benches, classifier::benches, arbiter::benches);
criterion::criterion_main!(task_path);
