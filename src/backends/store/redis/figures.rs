//! Figures: a hash for each window, which ends by itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::BufMut;
use futures::future::try_join_all;
use redis::cmd;

use super::{RedisStore, error::failure, journal::fence_args, scripts};
use crate::{
    backend::redis::{layout::PLACES, script::Call},
    store::{Counters, Fence, FigureStore, HostWindow, StoreError, Window},
};
use clawpool_core::{
    figures::{HostFigures, Step},
    task::Timestamp,
};

/// Windows that are read at once.
const CHUNK: usize = 120;

#[async_trait]
impl FigureStore for RedisStore {
    async fn figures(&self, step: Step, from: Timestamp, to: Timestamp) -> Result<Vec<Window>, StoreError> {
        let mut windows = Vec::new();
        let begins: Vec<Timestamp> = begins(step, from, to).collect();
        for chunk in begins.chunks(CHUNK) {
            let found = try_join_all(chunk.iter().map(|at| self.window(step, *at))).await?;
            let filled = chunk.iter().zip(found).filter(|(_, counts)| !counts.is_empty());
            windows.extend(filled.map(|(at, counts)| Window { at: *at, counts }));
        }
        Ok(windows)
    }

    async fn put_figures(&self, fence: Fence, step: Step, window: &Window) -> Result<(), StoreError> {
        let series = step.length().as_millis().to_string();
        let mut call = self.put_call(fence, &series, window.at, step);
        for (name, count) in &window.counts {
            call.arg(name).arg(*count);
        }
        self.run_if_led(Some(fence), &call).await
    }

    async fn host_figures(
        &self,
        step: Step,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HostWindow>, StoreError> {
        let mut windows = Vec::new();
        let begins: Vec<Timestamp> = begins(step, from, to).collect();
        for chunk in begins.chunks(CHUNK) {
            let found = try_join_all(chunk.iter().map(|at| self.hosts(step, *at))).await?;
            let filled = chunk.iter().zip(found).filter(|(_, hosts)| !hosts.is_empty());
            windows.extend(filled.map(|(at, hosts)| HostWindow { at: *at, hosts }));
        }
        Ok(windows)
    }

    async fn put_host_figures(
        &self,
        fence: Fence,
        step: Step,
        window: &HostWindow,
    ) -> Result<(), StoreError> {
        let mut call = self.put_call(fence, &host_series(step), window.at, step);
        for (host, figures) in &window.hosts {
            call.arg(host).arg(figures.pack());
        }
        self.run_if_led(Some(fence), &call).await
    }
}

/// Its windows lie beside those of attempts.
fn host_series(step: Step) -> String {
    format!("hosts:{}", step.length().as_millis())
}

impl RedisStore {
    /// Takes names and values after this.
    fn put_call(&self, fence: Fence, series: &str, at: Timestamp, step: Step) -> Call {
        let mut call = self.call(&scripts::PUT_FIGURES);
        let until = at + step.kept();
        fence_args(&mut call, Some(fence)).arg(series).arg(at.as_millis()).arg(until.as_millis());
        call
    }

    async fn hosts(&self, step: Step, at: Timestamp) -> Result<BTreeMap<String, HostFigures>, StoreError> {
        let key = format!("{}:fig:{}:{}", self.link.base(), host_series(step), at.as_millis());
        let packed: Result<BTreeMap<String, Vec<u8>>, _> = self.link.send(cmd("HGETALL").arg(key)).await;
        let packed = packed.map_err(|error| failure(&error))?;
        let read = |(host, bytes): (String, Vec<u8>)| Some((host, HostFigures::read(&bytes)?));
        Ok(packed.into_iter().filter_map(read).collect())
    }

    async fn window(&self, step: Step, at: Timestamp) -> Result<BTreeMap<String, u64>, StoreError> {
        let counts = self.link.send(cmd("HGETALL").arg(self.window_key(step, at))).await;
        counts.map_err(|error| failure(&error))
    }

    fn window_key(&self, step: Step, at: Timestamp) -> String {
        format!("{}:fig:{}:{}", self.link.base(), step.length().as_millis(), at.as_millis())
    }
}

/// Where windows begin.
fn begins(step: Step, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    let first = step.window(from);
    let first = if first < from { first + step.length() } else { first };
    std::iter::successors(Some(first), move |at| Some(*at + step.length())).take_while(move |at| *at < to)
}

/// The counters of all ends of a call, as `scripts/parts/figures.lua` reads them.
pub(crate) fn add_counters<'a>(call: &mut Call, ends: impl Iterator<Item = &'a Counters>) {
    let mut tally = Tally::default();
    let mut places = Vec::new();
    for counters in ends {
        let numbers = tally.add(counters);
        numbers.iter().for_each(|number| places.put_u16(*number));
        places.put_bytes(0, 2 * (PLACES - numbers.len()));
    }
    call.arg(tally.packed()).arg(places);
}

/// By how much each counter rises, and its number, from 1. A worker makes each name once, and ends that are
/// alike share their counters: both are known by their addresses.
#[derive(Default)]
struct Tally<'a> {
    names: Vec<(&'a str, u16)>,
    numbers: HashMap<*const u8, u16>,
    alike: HashMap<*const Arc<str>, Vec<u16>>,
}

impl<'a> Tally<'a> {
    /// Counts one end. Answers the numbers of its counters.
    fn add(&mut self, counters: &'a Counters) -> &[u16] {
        let numbers = self.alike.entry(counters.as_ptr()).or_insert_with(|| {
            let names = counters.iter().take(PLACES);
            names.map(|name| number(&mut self.names, &mut self.numbers, name)).collect()
        });
        for number in &*numbers {
            self.names[usize::from(*number) - 1].1 += 1;
        }
        numbers
    }

    fn packed(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, sum) in &self.names {
            all.put_u16(*sum);
            all.put_u16(u16::try_from(name.len()).unwrap_or_default());
            all.put_slice(name.as_bytes());
        }
        all
    }
}

/// A call has some hundred ends, and so fewer names than there are numbers.
fn number<'a>(names: &mut Vec<(&'a str, u16)>, numbers: &mut HashMap<*const u8, u16>, name: &'a str) -> u16 {
    *numbers.entry(name.as_ptr()).or_insert_with(|| {
        names.push((name, 0));
        names.len() as u16
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_within_the_span() {
        let at = Timestamp::from_millis;
        let found: Vec<Timestamp> = begins(Step::TenSeconds, at(5_000), at(30_000)).collect();
        assert_eq!(found, [at(10_000), at(20_000)]);
        assert_eq!(begins(Step::TenSeconds, at(10_000), at(10_000)).count(), 0);
    }
}
