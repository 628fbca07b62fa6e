use std::{fmt::Write, path::Path};

use super::Plan;

/// How a unit is known to be Clawpool's.
pub(super) const MARK: &str = "# Written by `clawpool service install`.";

/// What the process may not do. Left out on purpose: MemoryDenyWriteExecute, which ends JavaScript and Python
/// programs with a just-in-time compiler.
const FENCE: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
PrivateDevices=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
";

/// A configuration file is handed over as a credential: it may stay readable by root alone.
pub(super) fn text(plan: &Plan) -> String {
    let Plan { name, command, patience, .. } = plan;
    let mut text = format!(
        "{MARK} Change it with `systemctl edit {name}`.
[Unit]
Description=Clawpool {}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={}
{}EnvironmentFile=-/etc/clawpool/{name}.env
StateDirectory={name}
StateDirectoryMode=0700
WorkingDirectory=%S/{name}
Restart=on-failure
RestartSec=5s
# Wrong usage and a wrong configuration do not get better by themselves.
RestartPreventExitStatus=2 78
# The main process drains and then ends its workers itself.
KillMode=mixed
TimeoutStopSec={}
",
        command.first().map_or("up", String::as_str),
        exec(plan),
        identity(plan),
        patience.as_secs(),
    );
    if let Some(config) = &plan.config {
        let _ = writeln!(text, "LoadCredential={CREDENTIAL}:{}", escaped(&config.display().to_string()));
    }
    text + FENCE + "\n[Install]\nWantedBy=multi-user.target\n"
}

const CREDENTIAL: &str = "clawpool.toml";

fn identity(plan: &Plan) -> String {
    plan.account
        .as_ref()
        .map_or_else(|| "DynamicUser=yes\n".to_owned(), |account| format!("User={account}\n"))
}

pub(super) fn account(plan: &Plan) -> String {
    plan.account.clone().unwrap_or_else(|| format!("{} (made by systemd while it runs)", plan.name))
}

fn exec(plan: &Plan) -> String {
    let program = quoted(&text_of(&plan.program));
    let config = plan.config.iter().map(|_| format!(" --config \"${{CREDENTIALS_DIRECTORY}}/{CREDENTIAL}\""));
    let command = plan.command.iter().map(|word| format!(" {}", quoted(word)));
    program + &config.chain(command).collect::<String>()
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

/// One word of a command line, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    let escaped =
        escaped(&word.replace('\\', "\\\\").replace('"', "\\\"")).replace('$', "$$").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// systemd's own placeholders begin with `%`.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, process::Command, time::Duration};

    use super::*;

    fn plan(command: &[&str]) -> Plan {
        Plan {
            name: "clawpool".into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            program: "/usr/local/bin/clawpool".into(),
            config: Some("/etc/clawpool/pool.toml".into()),
            data: None,
            account: None,
            patience: Duration::from_secs(45),
            unit_dir: PathBuf::new(),
        }
    }

    #[test]
    fn the_unit_of_up() {
        insta::assert_snapshot!(text(&plan(&["up"])));
    }

    #[test]
    fn words_reach_the_program_as_they_are() {
        for (word, line) in [
            ("--listen=127.0.0.1:7070", "--listen=127.0.0.1:7070"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            (r#"say "5 $ or 5 %""#, r#""say \"5 $$ or 5 %%\"""#),
            ("back\\slash", r#""back\\slash""#),
        ] {
            assert_eq!(quoted(word), line);
        }
    }

    #[test]
    fn a_named_account_takes_the_place_of_the_dynamic_one() {
        let text = text(&Plan { account: Some("pool".into()), config: None, ..plan(&["worker"]) });
        assert!(text.contains("\nUser=pool\n") && !text.contains("DynamicUser"), "{text}");
        assert!(!text.contains("LoadCredential") && !text.contains("--config"), "{text}");
    }

    /// systemd's own judgement, where there is a systemd.
    #[test]
    fn systemd_takes_the_unit() {
        if Command::new("systemd-analyze").arg("--version").output().is_err() {
            eprintln!("no systemd-analyze here: the unit is not verified");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clawpool.service");
        let program = std::env::current_exe().unwrap();
        std::fs::write(&file, text(&Plan { program, ..plan(&["up", "--set", "log.filter=\"a b\""]) }))
            .unwrap();
        let said = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
        let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success() && !complaints.contains("clawpool.service"), "{complaints}");
    }
}
