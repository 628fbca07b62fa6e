//! The classification table as shipped, met by its first row, its last and none; and a table of a hundred
//! rows that look into the payload.

use std::hint::black_box;

use clawpool_core::{
    config::{Config, FieldTest, Rule},
    task::{NewTask, Payload, Priority},
};
use clawpool_engine::dispatch::Classifier;
use criterion::Criterion;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classifier");
    let shipped = Classifier::new(&Config::default());
    for (name, kind) in [("first row", "voice.call"), ("last row", "batch.report"), ("no row", "else.where")]
    {
        let task = NewTask::new(kind, Payload::null());
        group.bench_function(name, |bench| bench.iter(|| shipped.classify(black_box(&task), None)));
    }
    let rules: Vec<Rule> = (0..100).map(by_field).collect();
    let fields = Classifier::new(&Config { rules, ..Config::default() });
    let payload =
        Payload::encode(&serde_json::json!({ "text": "x".repeat(150), "call": { "step": 99 } })).unwrap();
    let task = NewTask::new("voice.call", payload);
    group.bench_function("last of 100 rows by a field", |bench| {
        bench.iter(|| fields.classify(black_box(&task), None))
    });
    group.finish();
}

fn by_field(step: u32) -> Rule {
    let field = FieldTest { path: "call.step".into(), equals: step.into() };
    Rule {
        kinds: vec!["voice.*".parse().unwrap()],
        field: Some(field),
        priority: Some(Priority::P0),
        ..Rule::default()
    }
}
