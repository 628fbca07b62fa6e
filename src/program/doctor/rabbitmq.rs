//! The RabbitMQ of the cluster profile: each address, and whether this user can work with queues.

use super::{Site, finding::Finding};
use clawpool_backends::broker::{
    BrokerError,
    rabbitmq::inspect::{Answer, Hindrance, Node, nodes, probe},
};
use clawpool_core::{
    config::{Backend, Config, Profile},
    task::Lane,
};

/// Quorum queues that give messages back in order of their priority and dead-letter them safely came with it.
const OLDEST: (u32, u32) = (3, 10);

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let config = match site.config() {
        Ok(config) => config,
        Err(skipped) => return vec![skipped],
    };
    if !is_used(config) {
        return vec![Finding::skipped("no lane of this configuration is on RabbitMQ")];
    }
    let settings = &config.rabbitmq;
    let patience = site.patience;
    let (nodes, probed) = tokio::join!(nodes(settings, patience), probe(settings, patience));
    let reached = nodes.iter().any(|node| node.answer.is_ok());
    let several = nodes.len() > 1;
    let mut findings: Vec<Finding> = nodes.iter().map(|node| judge(node, several && reached)).collect();
    if reached {
        findings.push(works(probed));
    }
    findings
}

fn is_used(config: &Config) -> bool {
    config.profile == Profile::Cluster
        && Lane::ALL.into_iter().any(|lane| config.lanes.backend(lane) == Backend::Rabbitmq)
}

/// Where another node answers, one that does not is no error.
fn judge(node: &Node, is_spare: bool) -> Finding {
    let address = &node.address;
    match &node.answer {
        Ok(answer) => version(address, answer),
        Err(error) => {
            let text = format!("{address}: {error}");
            let fix = match error {
                BrokerError::Refused { .. } => "correct rabbitmq.url, or the user's rights on the server",
                _ => "start it, or correct rabbitmq.url",
            };
            let finding = if is_spare { Finding::warning(text, fix) } else { Finding::error(text, fix) };
            finding.with_code(error.code())
        }
    }
}

fn version(address: &str, answer: &Answer) -> Finding {
    let Answer { product, version, took } = answer;
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let number = numbers.next().zip(numbers.next());
    let millis = took.as_millis();
    let about = format!("{address} is {product} {version}; it lets this user in within {millis} ms");
    match number {
        Some((Ok(major), Ok(minor))) if (major, minor) < OLDEST => {
            let text =
                format!("{address} is {product} {version}, which is too old for the queues of Clawpool");
            Finding::error(text, "use RabbitMQ 3.10 or later").with_code("CP-1205")
        }
        _ => Finding::ok(about),
    }
}

fn works(probed: Result<(), Hindrance>) -> Finding {
    let Hindrance { what, error } = match probed {
        Ok(()) => return Finding::ok("its user can make a quorum queue, write to it and read from it"),
        Err(hindrance) => hindrance,
    };
    let text = format!("cannot {what}: {error}");
    let fix = match &error {
        BrokerError::Blocked { .. } => "free memory or disk on the server: it has raised an alarm",
        BrokerError::Refused { .. } => {
            "give the user the rights to configure, write and read all that begins with rabbitmq.prefix: \
             rabbitmqctl set_permissions"
        }
        _ => "see the server's log, and whether a majority of its nodes is up",
    };
    Finding::error(text, fix).with_code(error.code())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::Status;

    fn answer(version: &str) -> Node {
        let (product, took) = ("RabbitMQ".to_owned(), Duration::from_millis(3));
        let answer = Ok(Answer { product, version: version.to_owned(), took });
        Node { address: "amqp://host".into(), answer }
    }

    #[test]
    fn old_servers_and_silent_ones_are_found() {
        for (version, status) in
            [("3.8.9", Status::Error), ("3.10.8", Status::Ok), ("4.1.0", Status::Ok), ("unknown", Status::Ok)]
        {
            assert_eq!(judge(&answer(version), false).status, status, "{version}");
        }
        let silent = BrokerError::Unavailable { broker: "RabbitMQ", reason: "refused".into() };
        let silent = Node { address: "amqp://host".into(), answer: Err(silent) };
        assert_eq!(
            (judge(&silent, false).status, judge(&silent, true).status),
            (Status::Error, Status::Warning)
        );
    }

    #[test]
    fn an_alarm_and_lacking_rights_are_told_apart() {
        let hindered = |error| works(Err(Hindrance { what: "write to a queue", error }));
        let (broker, reason) = ("RabbitMQ", "low on memory".to_owned());
        let alarm = hindered(BrokerError::Blocked { broker, reason: reason.clone() });
        assert!(alarm.fix.is_some_and(|fix| fix.contains("alarm")) && alarm.code == Some("CP-1202"));
        let rights = hindered(BrokerError::Refused { broker, reason });
        assert!(rights.fix.is_some_and(|fix| fix.contains("set_permissions")));
    }
}
