use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::{leaders, records};
use crate::{
    backend::{
        StoredItem,
        sqlite::{Sifted, Write, packed, readable, sift, unpacked},
    },
    store::{Entry, Fence, JournalStore, Page, StoreError, Topic},
};

#[async_trait]
impl JournalStore for super::SqliteStore {
    async fn append(&self, fence: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        let work = move |write: &mut Write<'_>| {
            leaders::fenced_if_led(write, fence, |write| write_down(write, &entries))
        };
        self.database.write(work).await?
    }

    async fn journal(
        &self,
        topic: Topic,
        subject: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError> {
        let wrong = |text: &str| StoreError::BadCursor(text.to_owned());
        let before = cursor.map(|text| text.parse::<i64>().map_err(|_| wrong(text))).transpose()?;
        let subject = subject.map(str::to_owned);
        self.read_around(StoredItem::Journal, move |sql| {
            list(sql, topic, subject.as_deref(), before, limit.max(1))
        })
        .await
    }
}

fn write_down(write: &Write<'_>, entries: &[Entry]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO journal (topic, subject, entry) VALUES (?1, ?2, ?3)";
    let trim = "DELETE FROM journal WHERE topic = ?1 AND seq <=
                (SELECT seq FROM journal WHERE topic = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
    let mut insert = write.sql.prepare_cached(insert)?;
    let mut trim = write.sql.prepare_cached(trim)?;
    for entry in entries {
        insert.execute(params![entry.topic.name(), entry.subject, packed(entry)?])?;
    }
    for topic in Topic::ALL {
        if entries.iter().any(|entry| entry.topic == topic) {
            trim.execute(params![topic.name(), topic.kept()])?;
        }
    }
    Ok(())
}

fn list(
    sql: &Connection,
    topic: Topic,
    subject: Option<&str>,
    before: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Sifted<Page<Entry>>> {
    let query = "SELECT seq, entry FROM journal WHERE topic = ?1 AND (?2 IS NULL OR subject = ?2)
                 AND (?3 IS NULL OR seq < ?3) ORDER BY seq DESC LIMIT ?4";
    let mut query = sql.prepare_cached(query)?;
    let entry = |row: &Row<'_>| Ok((row.get::<_, i64>("seq")?, unpacked(row.get_ref("entry")?)?));
    let parameters = params![topic.name(), subject, before, limit.saturating_add(1)];
    let rows = query.query_map(parameters, |row| readable(row, "seq", entry))?;
    Ok(sift(rows)?.map_continue(|rows: Vec<(i64, Entry)>| {
        let Page { items, next, .. } = records::page(rows, limit, |(seq, _)| seq.to_string());
        Page::new(items.into_iter().map(|(_, entry)| entry).collect(), next)
    }))
}
