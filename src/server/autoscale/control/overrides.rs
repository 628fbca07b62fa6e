use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use clawpool_backends::store::{NoteStore, StoreError};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::Manual;

const ALL: &str = "autoscale/wish/";
const PAUSE_ALL: &str = "autoscale/wish/pause";
const PAUSE: &str = "autoscale/wish/pause/";
const SIZE: &str = "autoscale/wish/size/";

/// What operators asked for.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    all_paused: bool,
    paused: Vec<String>,
    manual: BTreeMap<String, Manual>,
}

impl Overrides {
    pub async fn read<S: NoteStore + ?Sized>(store: &S) -> Result<Self, StoreError> {
        let mut overrides = Self::default();
        for (name, value) in store.notes(ALL).await? {
            if name == PAUSE_ALL {
                overrides.all_paused = true;
            } else if let Some(pool) = name.strip_prefix(PAUSE) {
                overrides.paused.push(pool.to_owned());
            } else if let (Some(pool), Ok(manual)) = (name.strip_prefix(SIZE), serde_json::from_slice(&value))
            {
                overrides.manual.insert(pool.to_owned(), manual);
            }
        }
        Ok(overrides)
    }

    pub const fn all_paused(&self) -> bool {
        self.all_paused
    }

    pub fn paused(&self, pool: &str) -> bool {
        self.all_paused || self.paused.iter().any(|paused| paused == pool)
    }

    pub fn manual(&self, pool: &str) -> Option<Manual> {
        self.manual.get(pool).copied()
    }

    /// Leaves the size of one pool, or of all, as it is.
    pub async fn pause<S: NoteStore + ?Sized>(store: &S, pool: Option<&str>) -> Result<(), StoreError> {
        let name = pool.map_or_else(|| PAUSE_ALL.to_owned(), |pool| format!("{PAUSE}{pool}"));
        store.put_note(None, &name, Bytes::new(), None).await
    }

    /// Takes a pool's pause and its manual size back, or the pause of all.
    pub async fn resume<S: NoteStore + ?Sized>(store: &S, pool: Option<&str>) -> Result<(), StoreError> {
        let names = match pool {
            None => vec![PAUSE_ALL.to_owned()],
            Some(pool) => vec![format!("{PAUSE}{pool}"), format!("{SIZE}{pool}")],
        };
        for name in names {
            store.erase_note(&name).await?;
        }
        Ok(())
    }

    /// Holds a pool at a size for a while.
    pub async fn scale<S: NoteStore + ?Sized>(
        store: &S,
        pool: &str,
        size: u32,
        keep: Duration,
    ) -> Result<Manual, StoreError> {
        let manual = Manual { size, until: Timestamp::now() + keep };
        let value = serde_json::to_vec(&manual)
            .map_err(|error| StoreError::Corrupt { store: "note", reason: error.to_string() })?;
        store.put_note(None, &format!("{SIZE}{pool}"), value.into(), Some(keep)).await?;
        Ok(manual)
    }
}
