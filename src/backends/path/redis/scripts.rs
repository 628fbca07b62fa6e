//! The scripts. They are made of what the store's and the broker's scripts share.

use std::sync::LazyLock;

use crate::{
    backend::redis::{library::Library, script::scripts},
    broker, store,
};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    Library::shared(&[store::redis::scripts::PARTS, broker::redis::scripts::PARTS].concat())
});

scripts! { LIBRARY:
    CLAIMS = "scripts/claims.lua";
    FINISH = "scripts/finish.lua";
    OFFER = "scripts/offer.lua";
    PROMOTE = "scripts/promote.lua";
    RECLAIM = "scripts/reclaim.lua";
    TAKE = "scripts/take.lua";
}

#[cfg(test)]
mod tests {
    use redis::cmd;

    use super::*;
    use crate::backend::redis::{link::Link, testing::server::on_shared};
    use clawpool_core::config::Config;

    /// Also those that no other test runs.
    #[tokio::test]
    async fn every_script_is_lua() {
        let link = Link::open(&on_shared(Config::default()).redis).await.unwrap();
        for script in ALL.iter() {
            let _: String = link.send(cmd("SCRIPT").arg("LOAD").arg(script.code())).await.unwrap();
        }
    }
}
