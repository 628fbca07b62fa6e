//! Server-side scripts and their calls.

use redis::{Arg, Cmd, ToRedisArgs, cmd};

/// A server-side script and the name by which a server that ran it before knows it.
pub(crate) struct Script {
    code: String,
    hash: String,
}

impl Script {
    pub(crate) fn new(code: String) -> Self {
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

/// A call of a script. Scripts get one key, the base of all names, and make the others from it: all keys
/// share a hash slot, so this holds on Redis Cluster too.
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(crate) fn new(script: &'static Script, base: &str) -> Self {
        let mut command = cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(base);
        Self { script, command }
    }

    pub(crate) fn arg(&mut self, value: impl ToRedisArgs) -> &mut Self {
        self.command.arg(value);
        self
    }

    pub(crate) const fn command(&self) -> &Cmd {
        &self.command
    }

    /// The same with the script's whole text, for a server that does not know it (any more).
    pub(crate) fn in_full(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(&self.script.code);
        for arg in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                command.arg(bytes);
            }
        }
        command
    }
}

/// Declares scripts: each is its own file after the definitions of a library that it uses.
macro_rules! scripts {
    ($library:ident: $($name:ident = $file:literal;)+) => {
        $(pub(crate) static $name: std::sync::LazyLock<$crate::backend::redis::script::Script> =
            std::sync::LazyLock::new(|| {
                $crate::backend::redis::script::Script::new($library.complete(include_str!($file)))
            });)+

        #[cfg(test)]
        pub(crate) static ALL: std::sync::LazyLock<Vec<&$crate::backend::redis::script::Script>> =
            std::sync::LazyLock::new(|| vec![$(&*$name),+]);
    };
}
pub(crate) use scripts;
