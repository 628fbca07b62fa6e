use std::process::Stdio;

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{in_time, process::Mark};

/// `clawpool` as an operator runs it.
pub struct Cli {
    url: String,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Cli {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub async fn run(&self, args: &[&str]) -> Said {
        self.fed(args, "").await
    }

    /// With text on standard input.
    pub async fn fed(&self, args: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool"));
        command.args(args).env("CLAWPOOL_URL", &self.url).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let _mark = Mark::new(&mut command);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read may be gone before it is fed.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = in_time(&format!("clawpool {args:?}"), child.wait_with_output()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command that must succeed.
    pub async fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args).await;
        assert_eq!(said.code, Some(0), "clawpool {args:?}: {said:?}");
        said.out
    }

    /// The same with `--json`.
    pub async fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        let out = self.ok(&args).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("clawpool {args:?}: {error} in {out}"))
    }
}
