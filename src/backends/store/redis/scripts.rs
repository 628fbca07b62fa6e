//! The scripts. What they share is in `scripts/parts`: the names of all keys in `names.lua`, and the layout
//! of what they hold in `layout`.

use std::sync::LazyLock;

use crate::backend::redis::{library::Library, script::scripts};

/// In an order in which each speaks only of those before it.
pub(crate) const PARTS: &[&str] = &[
    include_str!("scripts/parts/record.lua"),
    include_str!("scripts/parts/packed.lua"),
    include_str!("scripts/parts/schedule.lua"),
    include_str!("scripts/parts/recent.lua"),
    include_str!("scripts/parts/totals.lua"),
    include_str!("scripts/parts/figures.lua"),
    include_str!("scripts/parts/workers.lua"),
    include_str!("scripts/parts/ends.lua"),
    include_str!("scripts/parts/claims.lua"),
    include_str!("scripts/parts/endings.lua"),
];

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::shared(PARTS));

scripts! { LIBRARY:
    ADD_DEAD_LETTERS = "scripts/add_dead_letters.lua";
    ADMIT = "scripts/admit.lua";
    APPEND = "scripts/append.lua";
    APPEND_LOGS = "scripts/append_logs.lua";
    ASK = "scripts/ask.lua";
    BEAT = "scripts/beat.lua";
    CANCEL = "scripts/cancel.lua";
    CLAIM = "scripts/claim.lua";
    CONFIRM = "scripts/confirm.lua";
    DEAD_CLAIMS = "scripts/dead_claims.lua";
    DISCARD = "scripts/discard.lua";
    DUE = "scripts/due.lua";
    EARLIEST = "scripts/earliest.lua";
    END_LEASE = "scripts/end_lease.lua";
    FOLLOW = "scripts/follow.lua";
    FORGET = "scripts/forget.lua";
    LEAD = "scripts/lead.lua";
    LIVING = "scripts/living.lua";
    MARK_WORKER = "scripts/mark_worker.lua";
    MOVE_TO = "scripts/move_to.lua";
    NOTE = "scripts/note.lua";
    NOTES = "scripts/notes.lua";
    PAGE = "scripts/page.lua";
    PROMOTED = "scripts/promoted.lua";
    PUT_FIGURES = "scripts/put_figures.lua";
    RECENT = "scripts/recent.lua";
    REQUEUE = "scripts/requeue.lua";
    REROUTE = "scripts/reroute.lua";
    RESIGN = "scripts/resign.lua";
    RUN_NOW = "scripts/run_now.lua";
    SCHEDULE = "scripts/schedule.lua";
    SET_ASIDE = "scripts/set_aside.lua";
    SETTLE = "scripts/settle.lua";
    TAKE_TOKENS = "scripts/take_tokens.lua";
    TOTALS = "scripts/totals.lua";
    UNFINISHED = "scripts/unfinished.lua";
    UNREADABLE = "scripts/unreadable.lua";
    WATCH = "scripts/watch.lua";
    WITHDRAW = "scripts/withdraw.lua";
    WORKERS = "scripts/workers.lua";
}
