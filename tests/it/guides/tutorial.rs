//! docs/tutorial.md: three applications move one by one between two clusters, one goes back and again, the engine and a broker are killed, the target
//! dies; the page is done as written, and then whole sequences are compared, apart from the count that the page prints.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::{
    Shell,
    page::{number_before, under_load},
    shell::write_tool,
};
use crate::{
    phases::judged::judge,
    support::{self, wait},
};

const PAGE: &str = "docs/tutorial.md";
const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;
const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];
const TOPICS: [&str; 2] = ["orders", "order_status"];

/// Numbers by partition.
type Sequences = BTreeMap<i32, Vec<u64>>;

/// The example that the page is done with, as Cargo builds it.
fn example() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = support::build_directory().join("debug");
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--example", "tutorial"]);
    if !cfg!(feature = "aws") {
        build.args(["--no-default-features", "--features", "rdkafka"]);
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "it is built");
    profile.join("examples/tutorial")
}

/// What an application noted down, one file for each time that it ran, as it is described on the page.
fn noted(place: &Path, application: &str) -> Sequences {
    let notes = fs::read_dir(place.join("applications/notes")).expect("they are there");
    let names = notes.map(|entry| entry.expect("it can be listed").path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.split('.').next() == Some(application))
    };
    let mut ours: Vec<PathBuf> = names.filter(is_ours).collect();
    ours.sort();
    let mut all = Sequences::new();
    for path in ours {
        let text = fs::read_to_string(path).expect("it can be read");
        for line in text.lines() {
            let (partition, number) = line.split_once(' ').expect("two numbers");
            let number = number.parse().expect("a number");
            let partition = partition.parse().expect("a number");
            all.entry(partition).or_default().push(number);
        }
    }
    all
}

/// Addresses of a side, as the migration file has them.
fn servers(place: &Path, side: &str) -> String {
    let file = fs::read_to_string(place.join("migration.toml")).expect("it was written");
    let section = file.split(&format!("[{side}]\nbootstrap = [")).nth(1);
    let list = section.and_then(|text| text.split(']').next());
    list.expect("it has addresses").replace(['"', ' '], "")
}

fn consumer(servers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer can be made")
}

/// Everything that a partition holds from an offset on; nobody writes to it.
fn held(servers: &str, topic: &str, partition: i32, from: i64) -> Vec<u64> {
    let consumer = consumer(servers, "looks-on");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(from))
        .expect("it is an offset");
    consumer.assign(&list).expect("it can be assigned");
    let mut numbers = Vec::new();
    loop {
        let polled = consumer.poll(PATIENCE).expect("the broker answers");
        let message = match polled {
            // Behind the last record; a marker may lie in between.
            Err(KafkaError::PartitionEOF(_)) => return numbers,
            polled => polled.expect("it can be read"),
        };
        let text = std::str::from_utf8(message.payload().expect("no tombstones"));
        numbers.push(text.expect("numbers").parse().expect("numbers"));
    }
}

/// Where *customer-notification* goes on on the source, and what it was given before: nobody runs it.
struct Left {
    stands: Vec<(i32, i64)>,
    given: Sequences,
}

impl Left {
    fn behind(place: &Path) -> Self {
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition(TOPICS[1], partition);
        }
        let consumer = consumer(&servers(place, "source"), NAMES[2]);
        let asked = consumer.committed_offsets(list, PATIENCE);
        let asked = asked.expect("the coordinator answers");
        let offset = |offset| match offset {
            Offset::Offset(offset) => offset,
            other => panic!("no position: {other:?}"),
        };
        let stands = asked.elements_for_topic(TOPICS[1]);
        let stands = stands
            .iter()
            .map(|one| (one.partition(), offset(one.offset())));
        Self {
            stands: stands.collect(),
            given: noted(place, NAMES[2]),
        }
    }

    /// How many records it was given, and is given again from there.
    fn again(&self, place: &Path) -> u64 {
        let servers = servers(place, "source");
        let again = self.stands.iter().map(|(partition, from)| {
            let next = held(&servers, TOPICS[1], *partition, *from);
            let given = self.given[partition].iter();
            given.filter(|number| next.contains(number)).count() as u64
        });
        again.sum()
    }
}

/// Both sides hold the same, each number once and in order, and whoever reads was given all of it: how much again, by application.
fn judged(place: &Path) -> BTreeMap<&'static str, u64> {
    let written = noted(place, NAMES[0]);
    let mut again = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let expected = &written[&partition];
        let numbers = (0u64..).filter(|number| number % 3 == u64::from(partition.unsigned_abs()));
        let all: Vec<u64> = numbers.take(expected.len()).collect();
        assert!(all.len() > 500 && *expected == all, "{partition}: written");
        for side in ["source", "target"] {
            for topic in TOPICS {
                let held = held(&servers(place, side), topic, partition, 0);
                assert!(held == all, "{topic}-{partition} on the {side}");
            }
        }
        for name in &NAMES[1..] {
            let given = &noted(place, name)[&partition];
            let judged = judge(given, expected);
            let judged = judged.unwrap_or_else(|why| panic!("{name}, {partition}: {why}"));
            assert_eq!(judged.lost, [0; 0], "{name}, partition {partition}");
            *again.entry(*name).or_default() += judged.again;
        }
    }
    again
}

/// Kills applications that outlive the page, where it was not gone through.
struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        // They look whether their clusters are there; the shell, which is gone, has taken those along.
        let lock = self.0.path().join("clusters.lock");
        wait::whether(PATIENCE, || {
            let lock = fs::File::open(&lock);
            lock.map_or(true, |lock| lock.try_lock_shared().is_ok())
        });
    }
}

#[test]
fn the_tutorial_of_two_local_clusters_and_one_migration() {
    let place = Place(support::scratch("tutorial"));
    let place = place.0.path();
    let mut shell = Shell::start(place);
    write_tool(
        &place.join("bin"),
        "tutorial",
        &format!("exec '{}'", example().display()),
    );
    let (mut left, mut without, mut again) = (None, 0, BTreeMap::new());
    let printed = super::run_loosely(PAGE, &mut shell, &Vec::new(), under_load, |command| {
        if command.contains("--without-target") {
            left = Some(Left::behind(place));
        } else if command.contains("kafka-migrate cleanup") {
            without = left.as_ref().map_or(0, |left| left.again(place));
            again = judged(place);
        }
    });
    let announced = printed.iter().find(|said| said.contains("announced in"));
    let announced = announced.map(|said| number_before("announced", said));
    eprintln!("announced: {announced:?}; without the target {without}; given again: {again:?}");
    assert_eq!(announced, Some(0), "one side at a time writes a topic");
    assert_eq!(again[NAMES[1]], 0);
    assert_eq!(again[NAMES[2]], without);
    let most = printed
        .iter()
        .find_map(|said| said.split("again, at most ").nth(1));
    let most = most.map(|said| number_before("records;", said));
    assert!(
        most.is_some_and(|most| without <= most),
        "{without}: {most:?}"
    );
    let count = printed.iter().rfind(|said| said.contains("out of order"));
    let count = count.expect("the page counts");
    let line = count.lines().find(|line| line.starts_with(NAMES[2]));
    let words: Vec<&str> = line.expect("it counts it").split_whitespace().collect();
    assert_eq!(words[2..], ["0", &without.to_string(), "0", "0"], "{count}");
}
