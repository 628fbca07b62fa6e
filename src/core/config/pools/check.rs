//! What each pool must keep, alone, beside the other pools and beside the sections that it falls back on.

use super::{Pool, limits};
use crate::config::{
    Config, SHIPPED_KINDS,
    reading::{Key, Report, nearest},
    worker::{check_high, check_queues, check_reserved},
};

pub(in crate::config) fn check(config: &Config, report: &mut Report) {
    for (index, pool) in config.pools.iter().enumerate() {
        let key = Key::from("pools").index(index);
        names(&key, pool, &config.pools[..index], report);
        size(&key, pool, config, report);
        slots(&key, pool, config, report);
        pool.driver.check(&key.name("driver"), report);
        kinds(&key.name("kinds"), pool, config, report);
        pool.restart.check(&key.name("restart"), report);
        replacement(&key, pool, report);
        limits::check(&key, pool, report);
        if pool.command.first().is_some_and(String::is_empty) {
            let fix = "write [\"program\", \"argument\"]";
            report.refuse(&key.name("command"), "\"\"", "the program has no name", fix);
        }
    }
}

fn names(key: &Key, pool: &Pool, earlier: &[Pool], report: &mut Report) {
    let key = key.name("name");
    if pool.name.is_empty() {
        report.refuse(&key, "\"\"", "a pool needs a name", "write for example \"main\"");
    } else if pool.name.contains(|character: char| character.is_control() || character == '/') {
        // It becomes part of addresses and of names in the store.
        let rule = "a pool's name has no slash and no control characters";
        report.refuse(&key, format!("{:?}", pool.name), rule, "write for example \"main\"");
    } else if earlier.iter().any(|other| other.name == pool.name) {
        let shown = format!("{:?}", pool.name);
        report.conflict(&[&key], shown, "another pool has this name", "give each its own");
    }
}

fn size(key: &Key, pool: &Pool, config: &Config, report: &mut Report) {
    let workers = key.name("workers");
    let min = key.name("min");
    let max = key.name("max");
    for (key, count) in [(&workers, pool.workers), (&min, pool.min), (&max, pool.max)] {
        if let Some(count) = count {
            report.at_least_one(key, count);
        }
    }
    if let Some(count) = pool.workers
        && (pool.min.is_some() || pool.max.is_some())
    {
        let rule = "it is short for min and max, which stand there as well";
        report.conflict(&[&workers, &min, &max], count, rule, "take it out, or take min and max out");
    }
    let own = key.name("autoscale");
    if let Some(settings) = &pool.autoscale {
        settings.check(&own, report);
    }
    let scale = pool.autoscale(&config.autoscale);
    if pool.workers.is_none() && (pool.min.is_some() || pool.max.is_some()) && scale.min > scale.max {
        let section = if pool.autoscale.is_some() { own } else { Key::from("autoscale") };
        let at =
            |own: &Key, set: Option<u32>, name| if set.is_some() { own.clone() } else { section.name(name) };
        let low = at(&min, pool.min, "min");
        let high = at(&max, pool.max, "max");
        let rule = format!("it is more than {high} ({})", scale.max);
        report.conflict(&[&low, &high], scale.min, rule, format!("lower it, or raise {high}"));
    }
}

fn slots(key: &Key, pool: &Pool, config: &Config, report: &mut Report) {
    if let Some(slots) = pool.slots {
        report.at_least_one(key.name("slots"), slots);
    }
    let chooses = pool.queues.is_some() || !pool.kinds.is_empty();
    if pool.slots.is_some() || pool.reserved.is_some() || chooses {
        let slots = pool.slots.unwrap_or(config.worker.slots);
        let reserved = pool.reserved.unwrap_or(config.worker.reserved);
        let keys = [key.name("reserved"), key.name("slots")];
        check_reserved(keys, reserved, slots, &config.served(pool), report);
    }
    if chooses {
        check_high(&key.name("queues"), &config.served(pool), config, report);
    }
    if let Some(own) = &pool.queues {
        check_queues(&key.name("queues"), own, &config.known_queues(), report);
    }
}

/// Each can be run, as far as this configuration knows: a program of one's own has handlers of its own.
fn kinds(key: &Key, pool: &Pool, config: &Config, report: &mut Report) {
    for (index, kind) in pool.kinds.iter().enumerate() {
        let key = key.index(index);
        let shown = format!("{:?}", kind.as_str());
        if pool.kinds[..index].contains(kind) {
            report.refuse(&key, shown, "the kind is named twice", "name it once");
            continue;
        }
        if pool.command.is_empty() && !config.has_handler(kind) {
            let known = config.handlers.iter().map(|handler| handler.kind.as_str()).chain(SHIPPED_KINDS);
            let fix = match nearest(kind.as_str(), known) {
                Some(close) => format!("did you mean {close:?}? Else add it to [[handlers]]"),
                None => "add it to [[handlers]], or name a kind that stands there".to_owned(),
            };
            report.refuse(&key, shown, "no handler runs this kind", fix);
        }
    }
}

/// What a worker may reach before it is replaced.
fn replacement(key: &Key, pool: &Pool, report: &mut Report) {
    if let Some(tasks) = pool.max_tasks {
        report.at_least_one(key.name("max_tasks"), tasks);
    }
    if let Some(memory) = pool.max_memory
        && memory.as_u64() < bytesize::MIB
    {
        let rule = "no worker runs in less than 1 MiB";
        report.refuse(&key.name("max_memory"), memory, rule, "write for example \"512 MiB\"");
    }
}
