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
    RECLAIM = "scripts/reclaim.lua";
    TAKE = "scripts/take.lua";
}
