//! How each fault is done, and undone.

use std::time::{Duration, Instant};

use clawpool_core::task::TaskId;

use super::{
    fault::{Action, Fault},
    link::{Link, Weather},
    program::{descendants, signal},
    support::Server,
    world::World,
};

/// A worker stopped for longer is taken for dead (`Settings::quick`: a lease of 3 s).
const DOUBTFUL: Duration = Duration::from_millis(2400);
/// Of a slow link, for every piece in each direction.
const LATE: Duration = Duration::from_millis(150);

/// The runs that a fault has ended.
pub struct Killed {
    pub tasks: Vec<TaskId>,
    pub at: Instant,
    /// Where the ledger stood.
    pub line: usize,
}

impl World {
    pub async fn begin(&mut self, fault: &Fault) -> Option<Killed> {
        match fault.action {
            Action::Kill | Action::Stop | Action::Restart
                if self.servers.contains_key(fault.target.as_str()) =>
            {
                let server = self.servers.get_mut(fault.target.as_str()).unwrap();
                if fault.action == Action::Stop { server.signal("STOP") } else { server.kill().await }
            }
            Action::Kill => return self.kill(&fault.target).await,
            Action::Stop => self.stop(fault),
            Action::Restart => self.terminate(&fault.target).await,
            Action::FillDisk => {
                self.disk.as_ref().unwrap().fill();
                // What a file has reserved takes a while's small writes without growing.
                self.load.flood();
            }
            Action::StepClock(seconds) => self.clocks[&fault.target].step(seconds),
            action if Action::REDIS.contains(&action) => refuse(&self.servers["redis"], action).await,
            Action::MemoryAlarm => self.rabbitmq(&["set_vm_memory_high_watermark", "0.000001"]).await,
            Action::DiskAlarm => self.rabbitmq(&["set_disk_free_limit", "100000GB"]).await,
            action => self.links(&fault.target).for_each(|link| spoil(link, action)),
        }
        None
    }

    /// Returns when whatever was away is there again.
    pub async fn end(&mut self, fault: &Fault) {
        match fault.action {
            Action::Kill if self.servers.contains_key(fault.target.as_str()) => {
                self.servers.get_mut(fault.target.as_str()).unwrap().restart().await;
            }
            Action::Stop if self.servers.contains_key(fault.target.as_str()) => {
                self.servers[fault.target.as_str()].signal("CONT");
            }
            Action::Kill | Action::Restart if fault.target != "worker" => {
                self.program(&fault.target).restart()
            }
            Action::Kill | Action::Restart => {}
            Action::Stop => self.pids(&fault.target).into_iter().for_each(|pid| signal(pid, "CONT")),
            Action::FillDisk => self.relieve().await,
            Action::StepClock(_) => self.clocks[&fault.target].step(0),
            action if Action::REDIS.contains(&action) => relent(&self.servers["redis"], action).await,
            Action::MemoryAlarm => self.rabbitmq(&["set_vm_memory_high_watermark", "0.6"]).await,
            Action::DiskAlarm => self.rabbitmq(&["set_disk_free_limit", "50MB"]).await,
            _ => self.links(&fault.target).for_each(|link| link.set(Weather::Fair)),
        }
    }

    async fn kill(&mut self, target: &str) -> Option<Killed> {
        let pid = *self.pids(target).first()?;
        let programs = descendants(pid);
        let runs_tasks = matches!(target, "worker" | "lone");
        let tasks = if runs_tasks { self.load.effects.running(&programs) } else { Vec::new() };
        let line = self.load.effects.len();
        signal(pid, "KILL");
        let at = Instant::now();
        if target != "worker" {
            self.program(target).ended().await;
        }
        Some(Killed { tasks, at, line })
    }

    fn stop(&mut self, fault: &Fault) {
        for pid in self.pids(&fault.target) {
            if fault.length > DOUBTFUL && matches!(fault.target.as_str(), "worker" | "lone") {
                self.stopped.extend(descendants(pid));
            }
            signal(pid, "STOP");
        }
    }

    /// It has all the time that it wants for it.
    async fn terminate(&mut self, target: &str) {
        for pid in self.pids(target) {
            signal(pid, "TERM");
        }
        if target != "worker" {
            let status = self.program(target).ended().await;
            if status.code() != Some(0) {
                self.left.push(format!("{target} was told to end and ended with {status}"));
            }
        }
    }

    /// One process: of the workers that are kept, the first.
    fn pids(&mut self, target: &str) -> Vec<u32> {
        if target == "worker" {
            self.workers().into_iter().take(1).collect()
        } else {
            vec![self.program(target).pid()]
        }
    }

    fn links(&self, target: &str) -> impl Iterator<Item = &Link> {
        let suffix = target.strip_prefix("all");
        self.links.iter().filter(move |link| {
            link.name == target || suffix.is_some_and(|suffix| link.name.ends_with(suffix))
        })
    }

    async fn relieve(&mut self) {
        self.disk.as_ref().unwrap().relieve();
        if let Some(redis) = self.servers.get_mut("redis")
            && redis.exited().is_some()
        {
            // Redis ends when it cannot write what it has to.
            redis.restart().await;
        }
    }

    async fn rabbitmq(&self, args: &[&str]) {
        self.servers["rabbitmq"].control(args).await;
    }

    /// Who has ended by itself is started again, as a service manager would, and named. Ending with code 0 is
    /// what a service manager takes for a wish.
    pub fn look_after(&mut self, fault: &Fault) {
        for program in &mut self.programs {
            if let Some(status) = program.exited() {
                self.left.push(format!("{} ended by itself with {status} after: {fault}", program.name));
                program.restart();
            }
        }
    }
}

fn spoil(link: &Link, action: Action) {
    match action {
        Action::Refuse => link.set(Weather::Refusing),
        Action::Swallow => link.set(Weather::Deaf),
        Action::Hold => link.set(Weather::Holding),
        Action::Slow => link.set(Weather::Slow(LATE)),
        _ => {}
    }
    match action {
        Action::Reset | Action::Refuse => link.reset(),
        Action::Swallow | Action::HalfOpen => link.lose(),
        Action::HangUp => link.hang_up(),
        _ => {}
    }
}

async fn refuse(redis: &Server, action: Action) {
    match action {
        Action::OutOfMemory => redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await,
        // Of a master that nobody can reach.
        Action::ReadOnly => redis.command(&["REPLICAOF", "127.0.0.1", "1"]).await,
        Action::NoReplicas => redis.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await,
        _ => {
            redis.command(&["CONFIG", "SET", "busy-reply-threshold", "50"]).await;
            redis.send(&["EVAL", "while true do end", "0"]).await;
        }
    }
}

async fn relent(redis: &Server, action: Action) {
    match action {
        Action::OutOfMemory => redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await,
        Action::ReadOnly => redis.command(&["REPLICAOF", "NO", "ONE"]).await,
        Action::NoReplicas => redis.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await,
        _ => redis.command(&["SCRIPT", "KILL"]).await,
    }
}
