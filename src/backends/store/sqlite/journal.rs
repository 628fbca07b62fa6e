use std::ops::ControlFlow;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::{leaders, records};
use crate::{
    backend::{
        StoredItem,
        sqlite::{Sifted, Write, packed, readable, sift, unpacked},
    },
    store::{Entry, Fence, Followed, JournalStore, Page, Place, StoreError, Topic, journal::Extent},
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

    async fn follow(
        &self,
        topics: &[(Topic, Option<Place>)],
        limit: usize,
    ) -> Result<Vec<Followed>, StoreError> {
        let topics = topics.to_vec();
        self.read_around(StoredItem::Journal, move |sql| {
            let mut answer = Vec::new();
            for (topic, after) in &topics {
                match follow(sql, *topic, *after, limit.max(1))? {
                    ControlFlow::Continue(followed) => answer.push(followed),
                    ControlFlow::Break(keys) => return Ok(ControlFlow::Break(keys)),
                }
            }
            Ok(ControlFlow::Continue(answer))
        })
        .await
    }
}

fn follow(
    sql: &Connection,
    topic: Topic,
    after: Option<Place>,
    limit: usize,
) -> rusqlite::Result<Sifted<Followed>> {
    let extent = extent(sql, topic, after)?;
    let Some(after) = after.filter(|after| *after <= extent.newest) else {
        // The last row is looked at: where it is unreadable and goes, the next one may get its number.
        return Ok(list(sql, topic, None, None, 1)?.map_continue(|_| Followed {
            topic,
            entries: Vec::new(),
            lost: after.is_some(),
            more: false,
            next: extent.newest,
        }));
    };
    let query = "SELECT seq, entry FROM journal WHERE topic = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut query = sql.prepare_cached(query)?;
    let parameters = params![topic.name(), i64::try_from(after.0).unwrap_or(i64::MAX), limit];
    let rows = query.query_map(parameters, |row| readable(row, "seq", numbered))?;
    Ok(sift(rows)?.map_continue(|rows: Vec<(i64, Entry)>| {
        let entries: Vec<_> = rows.into_iter().map(|(seq, entry)| (place(seq), entry)).collect();
        let next = entries.last().map_or(after, |(place, _)| *place);
        Followed { topic, lost: extent.lacks(topic, after), more: entries.len() == limit, next, entries }
    }))
}

fn extent(sql: &Connection, topic: Topic, after: Option<Place>) -> rusqlite::Result<Extent> {
    let ask = |what: &str| -> rusqlite::Result<Option<i64>> {
        let query = format!("SELECT {what} FROM journal WHERE topic = ?1");
        sql.prepare_cached(&query)?.query_row([topic.name()], |row| row.get(0))
    };
    let end = |found: Option<i64>| found.map(place).unwrap_or_default();
    let oldest = end(ask("min(seq)")?);
    // Counting takes longer, and matters only there.
    let length = if after.is_some_and(|after| after < oldest) { ask("count(*)")? } else { None };
    let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    Ok(Extent { oldest, newest: end(ask("max(seq)")?), length })
}

fn place(seq: i64) -> Place {
    Place(seq.try_into().unwrap_or_default(), 0)
}

fn numbered(row: &Row<'_>) -> rusqlite::Result<(i64, Entry)> {
    Ok((row.get("seq")?, unpacked(row.get_ref("entry")?)?))
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
    let parameters = params![topic.name(), subject, before, limit.saturating_add(1)];
    let rows = query.query_map(parameters, |row| readable(row, "seq", numbered))?;
    Ok(sift(rows)?.map_continue(|rows: Vec<(i64, Entry)>| {
        let Page { items, next, .. } = records::page(rows, limit, |(seq, _)| seq.to_string());
        Page::new(items.into_iter().map(|(_, entry)| entry).collect(), next)
    }))
}
