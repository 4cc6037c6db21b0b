//! A proxy that writes batches anew on their way to the broker: found and named, and nothing is left of the search.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

use super::{assert_says, preflight};
use crate::support::{
    kafka::Kafka,
    load::Load,
    tool::{Access, Migration},
    unique, wait,
};

const PASS: u8 = 0;
/// Gives records other times.
const TIMES: u8 = 1;
/// Takes the producer away, as a proxy does that writes with a client of its own.
const PRODUCER: u8 = 2;
/// Breaks batches.
const DAMAGE: u8 = 3;
/// Hangs up on clients of other names than ours.
const OURS_ONLY: u8 = 4;

/// Passes on to `broker` what comes to `address`, for as long as the test process lives.
fn start(address: &str, broker: String) -> Arc<AtomicU8> {
    let what = Arc::new(AtomicU8::new(PASS));
    let listener = TcpListener::bind(address).expect("the port was kept free");
    let rule = Arc::clone(&what);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&broker) else {
                continue;
            };
            let rule = Arc::clone(&rule);
            let (mut from, mut to) = (
                server.try_clone().expect("sockets can be cloned"),
                client.try_clone().expect("sockets can be cloned"),
            );
            thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            thread::spawn(move || drop(requests(client, server, &rule)));
        }
    });
    what
}

fn requests(mut client: TcpStream, mut server: TcpStream, rule: &AtomicU8) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut frame)?;
        let rule = rule.load(Ordering::Relaxed);
        // Key, version and correlation id come before the client's name.
        if rule == OURS_ONLY && !frame[8..].starts_with(b"\0\x0dkafka-migrate") {
            return server.shutdown(Shutdown::Both);
        }
        if frame[..2] == [0, 0] {
            for batch in batches(&frame) {
                change(&mut frame[batch..], rule);
            }
        }
        server.write_all(&length)?;
        server.write_all(&frame)?;
    }
}

/// Where batches begin: each has the magic byte 2, no leader epoch and no offset yet.
fn batches(frame: &[u8]) -> Vec<usize> {
    let begins = |at: &usize| {
        let here = &frame[*at..];
        here[..8] == [0; 8] && here[12..17] == [0xff, 0xff, 0xff, 0xff, 2]
    };
    (0..frame.len().saturating_sub(60)).filter(begins).collect()
}

fn change(from: &mut [u8], rule: u8) {
    let length = u32::from_be_bytes(from[8..12].try_into().expect("four bytes")) as usize;
    let batch = &mut from[..12 + length];
    match rule {
        TIMES => {
            for at in [27, 35] {
                let time = i64::from_be_bytes(batch[at..at + 8].try_into().expect("eight bytes"));
                batch[at..at + 8].copy_from_slice(&(time - 60_000).to_be_bytes());
            }
        }
        PRODUCER => batch[43..57].fill(0xff),
        DAMAGE => {
            batch[length] ^= 1;
            return;
        }
        _ => return,
    }
    let crc = crc_fast::crc32_iscsi(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn a_proxy_that_writes_batches_anew_is_found_and_what_it_changes_is_named() {
    let (source, _) = super::pair();
    let target = Kafka::spec("rewriting").proxied().start();
    let rule = start(
        &target.proxied_bootstrap()[0],
        target.behind_proxy()[0].clone(),
    );
    let topic = unique("rewritten");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let migration = Migration::new(
        &unique("rewritten"),
        Access::Plain(source),
        Access::Proxied(&target),
        &[&topic],
    );
    let none_left = || {
        let topics = target.metadata().topics;
        assert!(
            !topics.keys().any(|name| name.ends_with(".probe")),
            "{topics:?}"
        );
    };
    let said = preflight(&migration, 0);
    assert_says(&said, "G122", "pass", &["5 batches, 1 broker"]);
    none_left();
    for (change, names) in [
        (
            TIMES,
            &[
                "5 of 5 batches",
                "broker 1: a batch in lz4: other first timestamp, largest timestamp",
            ][..],
        ),
        (
            PRODUCER,
            &["a batch without compression: other producer id, producer epoch, sequence"],
        ),
        (DAMAGE, &["a batch in zstd was refused", "CORRUPT_MESSAGE"]),
    ] {
        rule.store(change, Ordering::Relaxed);
        let said = preflight(&migration, 3);
        super::assert_held_up_by(&said, &["G122"]);
        assert_says(&said, "G122", "block", names);
        none_left();
    }

    // What lets through nobody but us is of no use to applications.
    rule.store(OURS_ONLY, Ordering::Relaxed);
    migration.edit("[target]\n", "[target]\nconnect_timeout = \"3s\"\n");
    let said = preflight(&migration, 3);
    super::assert_held_up_by(&said, &["G125"]);
    assert_says(
        &said,
        "G125",
        "block",
        &[
            "source 1/1, target 0/1 with librdkafka",
            &format!("target broker at {}: ", target.proxied_bootstrap()[0]),
        ],
    );
    none_left();

    // A quota of our own on brokers that nobody else uses.
    rule.store(PASS, Ordering::Relaxed);
    let large = unique("quotas");
    source.create_topic(&large, 1, &[("retention.ms", "1800000")]);
    Load::to(&[(&large, 1)]).filling(20_000).fill(source, 400);
    migration.edit(
        &format!("topics = [{topic:?}]"),
        &format!("topics = [{large:?}]"),
    );
    let quota = |rate: f64| {
        target
            .wire()
            .client_quota("kafka-migrate", "producer_byte_rate", Some(rate))
            .expect("the broker answers")
            .expect("the quota is taken");
    };
    quota(1e9);
    assert_says(
        &until_told(&migration, "warn"),
        "G114",
        "warn",
        &[
            "each target broker lets this login write",
            "producer_byte_rate=",
        ],
    );
    quota(1000.0);
    assert_says(
        &until_told(&migration, "block"),
        "G114",
        "block",
        &[
            &format!("{large} keeps its records for 30m"),
            "by then records are deleted",
        ],
    );
}

/// Quotas take a moment to be told.
fn until_told(migration: &Migration, answer: &str) -> serde_json::Value {
    let mut said = serde_json::Value::Null;
    wait::until("the quota is told", Duration::from_secs(60), || {
        said = super::document(&migration.run(&["--json", "preflight"]));
        super::verdict(&said, "G114")["verdict"] == answer
    });
    said
}
