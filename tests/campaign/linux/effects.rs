//! The outside ledger: a file to which every run of a task appends what it does, without asking the pool.

use std::{
    collections::{BTreeMap, HashSet},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clawpool_core::task::TaskId;
use tokio::sync::watch;

/// One line. The order of the lines is the order in which things happened: each is one append.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    pub id: TaskId,
    pub what: What,
    /// The program that ran; its number tells one run of a task from another.
    pub pid: u32,
    pub seen: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Start,
    /// It failed, as its payload asks it to.
    Failed,
    End,
}

/// One run of a task: from its start to the last effect that it had.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub pid: u32,
    pub start: usize,
    /// `None`: it was killed before it did anything.
    pub end: Option<usize>,
    pub completed: bool,
}

#[derive(Clone)]
pub struct Effects {
    pub handler: PathBuf,
    lines: Arc<Mutex<Vec<Effect>>>,
    count: watch::Sender<usize>,
}

/// The work of a task: `seconds` of it, in a grandchild in a session of its own where it is `detached`; the
/// first `failures` attempts fail.
const HANDLER: &str = r#"#!/bin/sh
read -r task
note() { echo "$1 $CLAWPOOL_TASK_ID $$" >>"@"; }
number() { rest=${task#*\"$1\":}; number=${rest%%[!0-9.]*}; }
note S
number seconds; seconds=$number
number failures; failures=$number
case $task in
*'"detached":true'*)
    setsid sh -c "sleep $seconds; echo E $CLAWPOOL_TASK_ID $$ >>'@'" &
    wait $!; echo '"ok"'; exit ;;
esac
[ "$seconds" = 0 ] || sleep "$seconds"
if [ "$CLAWPOOL_ATTEMPT" -le "$failures" ]; then note F; exit 75; fi
note E
echo '"ok"'
"#;

impl Effects {
    pub fn new(folder: &Path) -> Self {
        let handler = folder.join("handler");
        let file = folder.join("effects");
        std::fs::write(&file, "").unwrap();
        std::fs::write(&handler, HANDLER.replace('@', &file.display().to_string())).unwrap();
        std::fs::set_permissions(&handler, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let effects = Self { handler, lines: Arc::default(), count: watch::Sender::default() };
        tokio::spawn(effects.clone().follow(file));
        effects
    }

    /// Reads what is appended, line by line.
    async fn follow(self, path: PathBuf) {
        let mut file = std::fs::File::open(path).unwrap();
        let mut place = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let mut text = String::new();
            file.seek(SeekFrom::Start(place)).unwrap();
            file.read_to_string(&mut text).unwrap();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            if whole > 0 {
                place += whole as u64;
                self.lines.lock().unwrap().extend(text[..whole].lines().map(read));
                self.count.send_modify(|count| *count += 1);
            }
        }
    }

    /// Until `id` has been done.
    pub async fn done(&self, id: TaskId) -> Instant {
        self.find(0, |effect| effect.id == id && effect.what == What::End).await.seen
    }

    /// Until a run of `id` starts after the line `after`.
    pub async fn started(&self, id: TaskId, after: usize) -> Instant {
        self.find(after, |effect| effect.id == id && effect.what == What::Start).await.seen
    }

    async fn find(&self, mut after: usize, wanted: impl Fn(&Effect) -> bool) -> Effect {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            {
                let lines = self.lines.lock().unwrap();
                if let Some(effect) = lines[after.min(lines.len())..].iter().find(|effect| wanted(effect)) {
                    return *effect;
                }
                after = after.max(lines.len());
            }
            let _ = count.changed().await;
        }
    }

    pub fn len(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// The tasks that the programs `pids` run at this moment.
    pub fn running(&self, pids: &HashSet<u32>) -> Vec<TaskId> {
        let runs = self.runs();
        let open = |run: &Run| run.end.is_none() && pids.contains(&run.pid);
        runs.iter().filter(|(_, runs)| runs.last().is_some_and(open)).map(|(id, _)| *id).collect()
    }

    pub fn runs(&self) -> BTreeMap<TaskId, Vec<Run>> {
        let mut all: BTreeMap<TaskId, Vec<Run>> = BTreeMap::new();
        for (line, effect) in self.lines.lock().unwrap().iter().enumerate() {
            let runs = all.entry(effect.id).or_default();
            if effect.what == What::Start {
                runs.push(Run { pid: effect.pid, start: line, end: None, completed: false });
            } else if let Some(run) = runs.iter_mut().rev().find(|run| run.pid == effect.pid) {
                run.end = Some(line);
                run.completed = effect.what == What::End;
            }
        }
        all
    }
}

fn read(line: &str) -> Effect {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let what = match word() {
        "S" => What::Start,
        "F" => What::Failed,
        "E" => What::End,
        other => panic!("the ledger has a line that nobody writes: {other:?} in {line:?}"),
    };
    Effect { what, id: word().parse().unwrap(), pid: word().parse().unwrap(), seen: Instant::now() }
}
