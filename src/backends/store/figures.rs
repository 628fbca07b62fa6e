//! The figures of attempts and of machines, in windows of time. Attempts are counted with their outcomes, in
//! the window that is under way then; windows that are over are summed up to longer ones.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{Fence, StoreError};
use clawpool_core::{
    figures::{HostFigures, Step},
    task::Timestamp,
};

/// The names of counters that one end adds one to, where it is accepted. Ends that are alike share them.
pub type Counters = Arc<[Arc<str>]>;

/// What was counted in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it began.
    pub at: Timestamp,
    /// By the counters' names.
    pub counts: BTreeMap<String, u64>,
}

/// What machines did in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct HostWindow {
    /// When it began.
    pub at: Timestamp,
    /// By the machine's name.
    pub hosts: BTreeMap<String, HostFigures>,
}

#[async_trait]
pub trait FigureStore: Send + Sync + 'static {
    /// Windows of this step that began from `from` on and before `to`, the oldest first. Those in which
    /// nothing was counted are left out.
    async fn figures(&self, step: Step, from: Timestamp, to: Timestamp) -> Result<Vec<Window>, StoreError>;

    /// Writes a window in place of what was there, and forgets windows of all steps that are past their time.
    async fn put_figures(&self, fence: Fence, step: Step, window: &Window) -> Result<(), StoreError>;

    /// The same of machines. What another version has packed in another way is left out.
    async fn host_figures(
        &self,
        step: Step,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HostWindow>, StoreError>;

    /// Writes a window of machines as [`put_figures`](Self::put_figures) does.
    async fn put_host_figures(&self, fence: Fence, step: Step, window: &HostWindow)
    -> Result<(), StoreError>;
}
