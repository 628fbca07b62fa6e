//! The section `[api]`.

mod tls;
mod tokens;

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    tls::Tls,
    tokens::{Scope, Token},
};
use super::reading::{Key, Report};

/// Streams where the configuration does not say.
const STREAMS: u32 = 1_000;

/// Where HTTP is served, and to whom.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where HTTP is served. An address beyond loopback needs `tokens`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Connections at a time. Fewer where the system allows few open files: some are kept for workers.
    pub connections: u32,
    /// Streams of events at a time. Of the connections a quarter is left to others, whatever this says.
    pub streams: u32,
    /// Who may call, when other than local processes can. Empty on loopback: every caller may do everything.
    pub tokens: Vec<Token>,
    /// Nothing can be changed over HTTP: what would change something is refused.
    pub read_only: bool,
    /// With which HTTP is served over TLS, and over nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            connections: 10_000,
            streams: STREAMS,
            tokens: Vec::new(),
            read_only: false,
            tls: None,
        }
    }
}

impl Api {
    /// Of so many connections those that streams may have: producers and operators come in whatever happens.
    pub const fn streams_of(connections: u32) -> u32 {
        connections - connections.div_ceil(4)
    }

    pub(super) fn check(&self, report: &mut Report) {
        report.at_least_one("api.connections", self.connections);
        let most = Self::streams_of(self.connections);
        // Who only lowered the connections has said nothing of streams.
        if self.streams > most && self.streams != STREAMS {
            let rule = format!("of {} connections streams have {most} at most", self.connections);
            let fix = "raise api.connections to four thirds of it, or lower it";
            let keys = [&Key::from("api.streams"), &Key::from("api.connections")];
            report.conflict(&keys, self.streams, rule, fix);
        }
        if !self.listen.ip().is_loopback() && self.tokens.is_empty() {
            let rule = "an address beyond this machine needs tokens, or anybody could run tasks";
            let fix = "add [[api.tokens]] with name, secret and scopes, or listen on 127.0.0.1";
            let keys = [&Key::from("api.listen"), &Key::from("api.tokens")];
            report.add_broken("CP-1010", &keys, self.listen, rule, fix);
        }
        for (index, token) in self.tokens.iter().enumerate() {
            token.check(&Key::from("api.tokens").index(index), &self.tokens[..index], report);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_connections_is_for_others_than_streams() {
        assert_eq!([0, 1, 2, 4, 1_000, 10_000].map(Api::streams_of), [0, 0, 1, 3, 750, 7_500]);
    }
}
