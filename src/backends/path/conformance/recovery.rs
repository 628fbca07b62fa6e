//! What comes back, and to whom: dead workers, lost answers, claims that nobody runs.

use super::{worker::any, *};

pub async fn inv_3_a_dead_workers_tasks_pass_and_count_a_crash(fixture: &dyn Fixture) {
    let mut doomed = Worker::start(fixture).await;
    let mut heir = Worker::start(fixture).await;
    let fence = lead(&heir.servers).await;
    let messages = [Priority::P0, Priority::P2, Priority::P4].map(message);
    offer(&heir.servers, &messages).await;
    let old = doomed.take(3).await;
    let dead = doomed.die();
    // As its supervisor does, who asks the broker.
    heir.servers.store.end_lease(dead, None).await.unwrap();
    heir.servers.path.reclaim(dead).await.unwrap();
    for _ in 0..3 {
        let again = heir.take_promoted(fence).await;
        assert_eq!((again.crashes, again.is_poison, again.task.attempt), (1, false, 0));
        let first = old.iter().find(|old| old.task.id == again.task.id).unwrap();
        assert!(again.claimed.token > first.claimed.token);
        assert!(!heir.finish(first, completed()).await, "INV-2");
        assert!(heir.finish(&again, completed()).await);
    }
    heir.leave_nothing().await;
}

pub async fn inv_3_the_third_crash_is_poison(fixture: &dyn Fixture) {
    let observer = fixture.servers().await;
    let fence = lead(&observer).await;
    let message = offer_one(&observer, Priority::P4).await;
    for crashes in 0..3 {
        let mut doomed = Worker::start(fixture).await;
        let taken = doomed.take_promoted(fence).await;
        assert_eq!((taken.crashes, taken.is_poison), (crashes, false));
        let dead = doomed.die();
        end(&observer, dead).await;
        observer.store.forget(dead).await.unwrap();
    }
    let mut last = Worker::start(fixture).await;
    let taken = last.take_promoted(fence).await;
    assert_eq!((taken.crashes, taken.is_poison), (3, true), "INV-3");
    assert!(last.finish(&taken, dead(&taken, DeadReason::Poison)).await);
    assert_eq!(state(&observer, message.id).await, State::Dead);
    last.leave_nothing().await;
}

pub async fn what_a_worker_disowns_waits_again(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let messages = [Priority::P1, Priority::P4].map(message);
    offer(&worker.servers, &messages).await;
    let taken = worker.take(2).await;
    let claims: Vec<_> = taken.iter().map(|taken| taken.claimed).collect();
    let before = ids(&taken);
    drop(taken);
    worker.source.rest().await;
    assert_eq!(worker.servers.path.disown(worker.id, &claims).await.unwrap(), [true, true]);
    assert_eq!(worker.servers.path.disown(worker.id, &claims).await.unwrap(), [false, false]);
    let mut again = Vec::new();
    eventually(async || {
        worker.servers.path.reconcile(worker.id).await.unwrap();
        again.extend(other.source.take(&any(2 - again.len())).await.unwrap().tasks);
        again.len() == 2
    })
    .await;
    assert_eq!(sorted(ids(&again)), sorted(before));
    assert!(again.iter().all(|again| again.crashes == 0 && again.task.attempt == 0), "INV-8");
}

/// The call was dropped on its way, or what it brought was.
pub async fn inv_1_what_a_lost_take_brought_comes_back(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let mut offered = Vec::new();
    for round in 0..12 {
        offered.push(offer_one(&other.servers, Priority::ALL[round % 7]).await.id);
        let wait = Duration::from_millis(round as u64 % 4);
        // Messages on their way to it may take a moment, and then there is something to lose.
        let _ = tokio::time::timeout(Duration::from_millis(100), worker.source.ready(&any(8))).await;
        let _ = tokio::time::timeout(wait, worker.source.take(&any(8))).await;
    }
    worker.source.rest().await;
    let mut taken = Vec::new();
    let fence = lead(&other.servers).await;
    eventually(async || {
        disown_all(&worker).await;
        worker.servers.path.reconcile(worker.id).await.unwrap();
        for id in &offered {
            // What a living worker had may have been put off until the end of its lease.
            other.servers.store.run_now(*id).await.unwrap();
        }
        promote(&other.servers, fence).await;
        let tasks = other.source.take(&any(8)).await.unwrap().tasks;
        for task in &tasks {
            assert!(other.finish(task, completed()).await);
        }
        taken.extend(ids(&tasks));
        taken.len() >= offered.len()
    })
    .await;
    assert_eq!(sorted(taken), sorted(offered), "each once");
}

/// What the leader has a worker asked for: tasks that count as its own and that it does not run.
async fn disown_all(worker: &Worker) {
    let mut cursor = None;
    loop {
        let page = worker.servers.store.unfinished(cursor.as_deref(), 1_000).await.unwrap();
        let running = page.items.into_iter().filter(|task| task.state == State::Running);
        let claims: Vec<Claimed> = running
            .filter(|task| task.worker == Some(worker.id))
            .map(|task| Claimed { id: task.id, queue: task.queue, token: task.token })
            .collect();
        worker.servers.path.disown(worker.id, &claims).await.unwrap();
        cursor = page.next;
        if cursor.is_none() {
            return;
        }
    }
}

pub async fn reconciling_takes_nothing_that_is_known(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let messages = Priority::ALL.map(message);
    offer(&worker.servers, &messages).await;
    let held = worker.take(messages.len()).await;
    for _ in 0..4 {
        assert_eq!(worker.servers.path.reconcile(worker.id).await.unwrap(), 0);
        assert!(other.source.take(&any(9)).await.unwrap().tasks.is_empty());
    }
    for held in &held {
        assert!(worker.finish(held, completed()).await);
    }
    other.leave_nothing().await;
    worker.leave_nothing().await;
}

/// Also where the task is at its second attempt, while something else is given back.
pub async fn inv_2_reconciling_leaves_a_retried_task_with_its_worker(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    offer_one(&worker.servers, Priority::P0).await;
    let first = worker.take_one().await;
    assert!(worker.finish(&first, retry(&first, Timestamp::now())).await);
    let second = worker.take_promoted(fence).await;
    assert_eq!(second.task.generation, 1);
    let lost = offer_one(&worker.servers, Priority::P0).await;
    let dropped = worker.take_one().await;
    let claimed = dropped.claimed;
    drop(dropped);
    // Else it would fetch the message again, and keep it.
    worker.source.rest().await;
    let mut again = Vec::new();
    eventually(async || {
        worker.servers.path.reconcile(worker.id).await.unwrap();
        // Apart, a message alone goes back: its claim is asked about. Then it may lie in the schedule set.
        worker.servers.path.disown(worker.id, &[claimed]).await.unwrap();
        other.servers.store.run_now(lost.id).await.unwrap();
        promote(&other.servers, fence).await;
        again.extend(other.source.take(&any(2)).await.unwrap().tasks);
        !again.is_empty()
    })
    .await;
    for _ in 0..3 {
        worker.servers.path.reconcile(worker.id).await.unwrap();
        again.extend(other.source.take(&any(2)).await.unwrap().tasks);
    }
    assert_eq!(ids(&again), [lost.id], "nothing else went back");
    assert!(worker.finish(&second, completed()).await, "it kept its claim");
}

pub async fn a_worker_that_leaves_holds_nothing(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let messages = [Priority::P0, Priority::P4, Priority::P4].map(message);
    offer(&worker.servers, &messages).await;
    let taken = worker.take(2).await;
    for taken in &taken {
        assert!(worker.finish(taken, End::Released).await);
    }
    worker.source.close().await;
    worker.servers.path.reclaim(worker.id).await.unwrap();
    assert_eq!(sorted(ids(&other.take(3).await)), sorted(sent(&messages)));
}

/// What is left in the same backend by another path, such as that of the version before: waiting, running at
/// a worker that died, and running at one that lives.
pub async fn inv_1_what_another_path_left_is_taken_over(before: &dyn Fixture, after: &dyn Fixture) {
    let mut old = Worker::start(before).await;
    let mut doomed = Worker::start(before).await;
    let mut new = Worker::start(after).await;
    let fence = lead(&new.servers).await;
    let running = offer_one(&old.servers, Priority::P0).await;
    let lives = old.take_one().await;
    assert_eq!(lives.task.id, running.id);
    old.source.rest().await;
    let messages = [Priority::P1, Priority::P2, Priority::P4, Priority::P5].map(message);
    offer(&old.servers, &messages).await;
    doomed.take(2).await;
    let dead = doomed.die();
    end(&new.servers, dead).await;
    let mut came = Vec::new();
    let mut crashes = 0;
    for _ in &messages {
        let taken = new.take_promoted(fence).await;
        assert!(new.finish(&taken, completed()).await);
        came.push(taken.task.id);
        crashes += taken.crashes;
    }
    assert_eq!((sorted(came), crashes), (sorted(sent(&messages)), 2));
    assert!(old.finish(&lives, End::Released).await);
    let again = new.take_one().await;
    assert_eq!(again.task.id, running.id);
    assert!(new.finish(&again, completed()).await);
    old.leave_nothing().await;
    new.leave_nothing().await;
}
