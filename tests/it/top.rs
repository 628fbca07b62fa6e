//! `clawpool top` in a real terminal: tmux, which keeps what a program has drawn and sends it keys.

use std::process::Output;

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Settings, System, until};

/// A terminal of its own, with `top` in it.
struct Tmux {
    folder: TempDir,
}

impl Tmux {
    async fn start(size: (u16, u16), url: &str) -> Self {
        let tmux = Self { folder: TempDir::with_prefix("clawpool-tmux-").unwrap() };
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let program = format!("{} top --every 200ms", env!("CARGO_BIN_EXE_clawpool"));
        let variable = format!("CLAWPOOL_URL={url}");
        // What it leaves on its screen stays to be read.
        let kept = format!("{program}; echo left with $?; exec cat");
        tmux.ok(&["new-session", "-d", "-e", &variable, "-x", &width, "-y", &height, &kept]).await;
        tmux
    }

    async fn run(&self, args: &[&str]) -> Output {
        let socket = self.folder.path().join("socket");
        let mut command = Command::new("tmux");
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(args);
        command.output().await.expect("tmux is missing: sudo apt-get install tmux")
    }

    async fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args).await;
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn press(&self, keys: &[&str]) {
        self.ok(&[&["send-keys"], keys].concat()).await;
    }

    async fn screen(&self) -> String {
        self.ok(&["capture-pane", "-p"]).await
    }

    /// The screen once it shows this.
    async fn shows(&self, what: &str) -> String {
        until(&format!("{what:?} on the screen"), async || {
            Some(self.screen().await).filter(|screen| screen.contains(what))
        })
        .await
    }

    async fn stop(self) {
        self.run(&["kill-server"]).await;
    }
}

#[tokio::test]
async fn a_queue_is_paused_and_a_worker_drained_from_the_keyboard() {
    let mut system = System::embedded(1, Settings::quick()).await;
    let tmux = Tmux::start((80, 24), &system.api.url).await;
    let screen = tmux.shows("critical.p0").await;
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(screen.contains("healthy") && screen.contains("? help"), "{screen}");

    tmux.press(&["/", "background", "Enter", "p"]).await;
    tmux.shows("pause background? y or n   (clawpool queues pause background)").await;
    tmux.press(&["y"]).await;
    tmux.shows("done: pause background").await;
    tmux.shows("paused").await;
    let queues = system.cli().json(&["queues"]).await;
    let paused: Vec<_> =
        queues["items"].as_array().unwrap().iter().filter(|queue| queue["paused"] == true).collect();
    assert_eq!(paused.len(), 1, "{queues}");
    assert_eq!(paused[0]["queue"], json!("background"));
    tmux.press(&["r", "Escape"]).await;
    tmux.shows("critical.p0").await;

    let worker = system.api.workers().await[0].beat.worker;
    tmux.press(&["2"]).await;
    tmux.shows("working").await;
    tmux.press(&["d", "y"]).await;
    until("another worker in its place", async || {
        let workers = system.api.workers().await;
        workers.iter().all(|info| info.beat.worker != worker || info.beat.draining).then_some(())
    })
    .await;

    system.front.kill().await;
    tmux.shows("no answer for").await;
    system.restart_up(1).await;
    tmux.stop().await;
    system.stop().await;
}

#[tokio::test]
async fn a_terminal_that_grows_shows_more_and_is_given_back() {
    let system = System::embedded(1, Settings::quick()).await;
    let tmux = Tmux::start((80, 24), &system.api.url).await;
    assert!(!tmux.shows("critical.p0").await.contains("CANCELLED"));
    tmux.ok(&["resize-window", "-x", "200", "-y", "50"]).await;
    tmux.shows("CANCELLED").await;
    tmux.press(&["?"]).await;
    tmux.shows("drain the worker").await;
    tmux.press(&["x", "q"]).await;
    let left = tmux.shows("left with 0").await;
    assert!(!left.contains("critical.p0"), "the screen of before is back: {left}");
    tmux.stop().await;
    system.stop().await;
}

#[tokio::test]
async fn without_a_terminal_it_prints_once() {
    let system = System::embedded(1, Settings::quick()).await;
    let text = system.cli().ok(&["top"]).await;
    for word in ["healthy", "waiting 0", "critical.p0", "WORKER", "CLASS"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let picture = system.cli().json(&["top", "--once"]).await;
    assert_eq!(picture["workers"].as_array().unwrap().len(), 1, "{picture}");
    let nobody = System::embedded(1, Settings::quick()).await;
    let url = nobody.api.url.clone();
    nobody.stop().await;
    let said = crate::support::Cli::new(&url).run(&["top", "--once"]).await;
    assert_eq!(said.code, Some(69), "{said:?}");
    system.stop().await;
}
