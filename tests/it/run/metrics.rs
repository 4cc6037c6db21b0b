//! Numbers for a scraper, asked of a running copy; and addresses at which they are not served.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::lines;
use crate::support::{
    load::Load,
    ports::Port,
    read, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

const LIMIT: Duration = Duration::from_secs(60);

/// One request; status line, headers and body as they came.
fn scrape(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The value of the number whose line begins so and holds all of this.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_running_copy_is_scraped_and_what_stopped_in_it_has_its_code() {
    let (source, target) = shared_pair();
    let (good, bad) = (unique("scraped"), unique("scraped-bad"));
    for topic in [&good, &bad] {
        source.create_topic(topic, 1, &[]);
    }
    target.create_topic(&bad, 1, &[("max.message.bytes", "1000")]);
    Load::to(&[(&good, 1)]).fill(source, 300);
    Load::to(&[(&bad, 1)]).filling(5000).fill(source, 7);
    let migration = Migration::new(
        &good,
        Access::Plain(source),
        Access::Plain(target),
        &[&good, &bad],
    );
    let port = Port::take();
    let address = port.number().to_string();
    let mut engine = migration
        .command(&["--json", "replicate", "--metrics", &address])
        .start();
    engine.wait_for("\"event\":\"metrics\"", LIMIT);
    let url = format!("http://127.0.0.1:{address}/metrics");
    assert!(engine.said().contains(&url), "{}", engine.said());
    // A second one on the same address ends before it does anything.
    let other = migration
        .command_in("elsewhere", &["replicate", "--metrics", &address])
        .finish();
    other.assert_exit(2);
    other.assert_says("K008");
    let mut text = String::new();
    wait::until("all is copied, and the other has stopped", LIMIT, || {
        text = scrape(port.number(), "/metrics").unwrap_or_default();
        value(&text, "kafka_migrate_partitions_stopped", &[]) == Some(1.0)
            && value(&text, "kafka_migrate_partitions_caught_up", &[]) == Some(1.0)
    });
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    let ours = format!("migration=\"{}\"", migration.name);
    let of = |name: &str, labels: &[&str]| {
        let labels = [labels, &[&*ours]].concat();
        value(&text, name, &labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"))
    };
    let lag = |topic: &str| {
        let topic = format!("topic=\"{topic}\"");
        of(
            "kafka_migrate_partition_lag_offsets",
            &[&topic, "partition=\"0\""],
        )
    };
    engine.wait_for("\"event\":\"partition-stopped\"", LIMIT);
    let events = engine.said();
    let stopped = events
        .lines()
        .find(|line| line.contains("\"event\":\"partition-stopped\""));
    let stopped: serde_json::Value =
        serde_json::from_str(stopped.expect("it was told")).expect("it is JSON");
    let from = stopped["source_offset"].as_i64().expect("it says where");
    let end = source.end_offset(&bad, 0).expect("it has an end");
    let left = (end - from) as f64;
    let there = |topic| read::partition(target, topic, 0, read::View::Uncommitted).len();
    let copied = (there(&good) + there(&bad)) as f64;
    assert!(left > 0.0 && copied >= 300.0, "{left} {copied}");
    assert_eq!((lag(&good), lag(&bad)), (0.0, left));
    assert_eq!(of("kafka_migrate_lag_offsets", &[]), left);
    assert_eq!(of("kafka_migrate_records_copied_total", &[]), copied);
    assert!(of("kafka_migrate_bytes_copied_total", &[]) > 300.0);
    assert_eq!(
        of(
            "kafka_migrate_partitions_stopped_by_code",
            &["code=\"K509\""]
        ),
        1.0
    );
    assert_eq!(of("kafka_migrate_up", &[]), 1.0);
    assert!(of("kafka_migrate_uptime_seconds", &[]) > 0.0);
    assert!(of("kafka_migrate_numbers_age_seconds", &[]) < 60.0);
    let missing = scrape(port.number(), "/other").expect("it answers");
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    assert_eq!(scrape(port.number(), "/metrics"), None);
    read::assert_same(source, target, &good);
}

#[test]
fn an_address_that_is_open_to_the_network_is_refused_before_anything_is_done() {
    let (source, target) = shared_pair();
    let topic = unique("exposed");
    source.create_topic(&topic, 1, &[]);
    let migration = Migration::of_topic(source, target, &topic);
    let refused = migration.run(&[
        "replicate",
        "--until",
        "caught-up",
        "--metrics",
        "0.0.0.0:0",
    ]);
    refused.assert_exit(2);
    refused.assert_says("K009");
    refused.assert_says("--metrics-on-network");
    assert_eq!(target.partitions(&topic), 0, "nothing was made");
    assert!(lines(target, &migration.name).is_empty(), "nor journalled");
    let malformed = migration.run(&["replicate", "--metrics", "localhost:1"]);
    malformed.assert_exit(2);
    malformed.assert_says("ADDRESS:PORT");
}
