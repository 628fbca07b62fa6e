use redis::{Cmd, Script, ToRedisArgs};

/// A call of a server-side script. Scripts get one key, the base of all names, and make the others from it: all keys
/// share a hash slot, so this holds on Redis Cluster too.
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(crate) fn new(script: &'static Script, base: &str) -> Self {
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(script.get_hash()).arg(1).arg(base);
        Self { script, command }
    }

    pub(crate) fn arg(&mut self, value: impl ToRedisArgs) -> &mut Self {
        self.command.arg(value);
        self
    }

    pub(super) const fn script(&self) -> &'static Script {
        self.script
    }

    pub(super) const fn command(&self) -> &Cmd {
        &self.command
    }
}

/// Declares scripts: each is the shared opening followed by its own file.
macro_rules! scripts {
    ($opening:literal: $($name:ident = $file:literal;)+) => {
        $(pub(super) static $name: std::sync::LazyLock<redis::Script> = std::sync::LazyLock::new(|| {
            redis::Script::new(concat!(include_str!($opening), "\n", include_str!($file)))
        });)+
    };
}
pub(crate) use scripts;
