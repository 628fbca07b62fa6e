//! LPUSH of each body; LMOVE to a list of the consumer's own, and LREM from it once the body has arrived.
//! Pipelines of 500 commands, four of them under way.

use std::time::Instant;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;

use super::{BODY, Took};
use crate::site::Site;

const PIPELINE: usize = 500;
const STREAMS: usize = 4;

pub async fn run(site: &Site, tasks: usize) -> Result<Took> {
    let base = format!("{{load-{}}}", uuid::Uuid::new_v4().simple());
    let connection =
        ::redis::Client::open(site.servers.redis.as_str())?.get_multiplexed_async_connection().await?;
    let share = tasks.div_ceil(STREAMS);
    let started = Instant::now();
    try_join_all((0..STREAMS).map(|stream| put(connection.clone(), &base, stream * share, share))).await?;
    let put = started.elapsed();
    let started = Instant::now();
    let got = try_join_all((0..STREAMS).map(|stream| get(connection.clone(), &base, stream))).await?;
    let took = Took { put, got: started.elapsed() };
    ensure!(got.iter().sum::<usize>() == share * STREAMS, "Redis gave {got:?} of {tasks} bodies");
    Ok(took)
}

async fn put(mut redis: MultiplexedConnection, base: &str, from: usize, count: usize) -> Result<()> {
    let queue = format!("{base}q");
    for chunk in (from..from + count).collect::<Vec<_>>().chunks(PIPELINE) {
        let mut pipeline = ::redis::pipe();
        for number in chunk {
            pipeline.cmd("LPUSH").arg(&queue).arg(body(*number)).ignore();
        }
        pipeline.query_async::<()>(&mut redis).await?;
    }
    Ok(())
}

async fn get(mut redis: MultiplexedConnection, base: &str, stream: usize) -> Result<usize> {
    let queue = format!("{base}q");
    let held = format!("{base}h{stream}");
    let mut count = 0;
    loop {
        let mut pipeline = ::redis::pipe();
        for _ in 0..PIPELINE {
            pipeline.cmd("LMOVE").arg(&queue).arg(&held).arg("RIGHT").arg("LEFT");
        }
        let bodies: Vec<Option<Vec<u8>>> = pipeline.query_async(&mut redis).await?;
        let bodies: Vec<_> = bodies.into_iter().flatten().collect();
        if bodies.is_empty() {
            return Ok(count);
        }
        count += bodies.len();
        let mut pipeline = ::redis::pipe();
        for body in bodies {
            pipeline.cmd("LREM").arg(&held).arg(-1).arg(body).ignore();
        }
        pipeline.query_async::<()>(&mut redis).await?;
    }
}

/// Bodies differ, as tasks do.
fn body(number: usize) -> Vec<u8> {
    format!("{number:0>BODY$}").into_bytes()
}
