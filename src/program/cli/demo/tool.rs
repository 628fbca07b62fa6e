use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::{Line, Pen, What};
use crate::cli::failure::Failure;
use clawpool_core::task::{Priority, TaskId, Timestamp};

/// The program that the demo's exec tasks run
#[derive(Debug, Args)]
pub(in crate::cli) struct DemoTool {
    job: Job,
    ledger: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Job {
    Checksum,
    Sort,
}

/// The parts of an exec task that the tool uses.
#[derive(Debug, Deserialize)]
struct Input {
    id: TaskId,
    enqueued_at: Timestamp,
    payload: Files,
}

#[derive(Debug, Deserialize)]
struct Files {
    path: PathBuf,
    to: Option<PathBuf>,
}

impl DemoTool {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let mut input = String::new();
        io::stdin().read_to_string(&mut input)?;
        let input: Input = serde_json::from_str(&input).map_err(Failure::failed)?;
        let pen = Pen::new(&self.ledger)?;
        let after_ms = u64::try_from(Timestamp::now().since(input.enqueued_at).as_millis()).ok();
        let note = |what| pen.write(&Line { id: input.id, what, priority: Priority::P5, after_ms });
        note(What::Start)?;
        let result = match (self.job, &input.payload.to) {
            (Job::Sort, Some(to)) => sort(&input.payload.path, to)?,
            _ => json!({"checksum": checksum(&input.payload.path)?}),
        };
        note(What::Done)?;
        println!("{result}");
        Ok(())
    }
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path)?);
    Ok(format!("{:016x}", hasher.finish()))
}

/// Writes beside the target and renames, so that a killed attempt leaves no half file.
fn sort(path: &Path, to: &Path) -> io::Result<Value> {
    let text = fs::read_to_string(path)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let draft = to.with_extension(std::process::id().to_string());
    fs::write(&draft, lines.join("\n"))?;
    fs::rename(draft, to)?;
    Ok(json!({"lines": lines.len()}))
}
