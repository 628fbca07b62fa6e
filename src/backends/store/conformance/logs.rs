use super::*;

fn piece(id: TaskId, attempt: u32, lines: &str) -> LogLines {
    LogLines { id, attempt, lines: lines.to_owned().into() }
}

async fn read(store: &dyn Store, id: TaskId) -> Vec<(u32, String)> {
    let logs = store.logs(id).await.unwrap().into_iter();
    logs.map(|log| (log.attempt, String::from_utf8(log.lines.to_vec()).unwrap())).collect()
}

fn log(attempt: u32, lines: &str) -> (u32, String) {
    (attempt, lines.to_owned())
}

const RULES: LogRules = LogRules { most: 20, keep: HOUR };

pub async fn lines_of_an_attempt_come_one_after_the_other(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [one, other] = [TaskId::new(), TaskId::new()];
    let pieces = [piece(one, 1, "a\n"), piece(other, 1, "x\n"), piece(one, 2, "c\n"), piece(one, 1, "b\n")];
    store.append_logs(RULES, &pieces).await.unwrap();
    fixture.store().await.append_logs(RULES, &[piece(one, 2, "d\n")]).await.unwrap();
    assert_eq!(read(&*store, one).await, [log(1, "a\nb\n"), log(2, "c\nd\n")]);
    assert_eq!(read(&*store, other).await, [log(1, "x\n")]);
    assert_eq!(read(&*store, TaskId::new()).await, []);
}

pub async fn a_log_keeps_its_latest_whole_lines(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let id = TaskId::new();
    store.append_logs(RULES, &[piece(id, 1, "the first line\nb\n")]).await.unwrap();
    store.append_logs(RULES, &[piece(id, 1, "the third\n")]).await.unwrap();
    assert_eq!(read(&*store, id).await, [log(1, "b\nthe third\n")]);
    // Exactly full, and one byte more than that.
    store.append_logs(RULES, &[piece(id, 2, "nine byte\nten bytes\n")]).await.unwrap();
    assert_eq!(read(&*store, id).await[1], log(2, "nine byte\nten bytes\n"));
    store.append_logs(RULES, &[piece(id, 2, "\n")]).await.unwrap();
    assert_eq!(read(&*store, id).await[1], log(2, "ten bytes\n\n"));
    store.append_logs(RULES, &[piece(id, 3, "a line that has no room here\n")]).await.unwrap();
    assert_eq!(read(&*store, id).await[2], log(3, ""));
}

pub async fn logs_of_the_latest_attempts_are_kept(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let id = TaskId::new();
    for attempt in 1..=LOGS_KEPT + 3 {
        store.append_logs(RULES, &[piece(id, attempt, "a\n")]).await.unwrap();
    }
    let kept: Vec<u32> = read(&*store, id).await.into_iter().map(|(attempt, _)| attempt).collect();
    assert_eq!(kept, (4..=LOGS_KEPT + 3).collect::<Vec<_>>());
}

/// Swept by heartbeats.
pub async fn logs_are_forgotten_after_their_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [short, long] = [TaskId::new(), TaskId::new()];
    let soon = LogRules { keep: Duration::from_millis(1), ..RULES };
    store.append_logs(RULES, &[piece(long, 1, "a\n")]).await.unwrap();
    store.append_logs(soon, &[piece(short, 1, "a\n")]).await.unwrap();
    eventually(async || {
        worker(&*store).await;
        read(&*store, short).await.is_empty()
    })
    .await;
    assert_eq!(read(&*store, long).await, [log(1, "a\n")]);
}
