//! docs/guides/self-managed-to-msk.md: three applications go to MSK, one comes back and goes again, all is cleaned up; under load, on a
//! fake AWS whose replicators copy between two real clusters.

use std::{collections::BTreeMap, fs, sync::atomic::Ordering, thread, time::Duration};

use super::{Shell, name};
use crate::{
    phases::{
        applications::{Applications, PARTITIONS, Work, partition_of},
        judged::judge,
    },
    support::{
        self,
        aws::{
            Aws,
            carrier::{Carrier, Place},
            clusters::Cluster,
        },
        kafka::{Kafka, MIGRATOR, Version},
        wait,
    },
};

const PAGE: &str = "docs/guides/self-managed-to-msk.md";
/// How long what is copied may take to be seen.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];
const TOPICS: [&str; 2] = ["orders", "order_status"];

/// A cluster with TLS, SCRAM and the rights that the page speaks of.
fn cluster(name: &str, version: Version) -> Kafka {
    let kafka = Kafka::spec(name).version(version).secure().start();
    let principal = format!("User:{}", MIGRATOR.0);
    // Topics, the cluster, groups: all operations (KIP-140).
    for (kind, name) in [(2, "*"), (4, "kafka-cluster"), (3, "*")] {
        let taken = kafka.wire().allow(&principal, (kind, name, 3), 2);
        taken
            .expect("the broker answers")
            .expect("the ACL is taken");
    }
    kafka
}

/// What the three are given, and what they have to be given.
struct Company {
    applications: Applications,
}

impl Company {
    fn start(directory: &std::path::Path, external: &Kafka, msk: &Kafka) -> Self {
        let [orders, status] = TOPICS.map(str::to_owned);
        let work = [
            Work::Writes {
                to: orders.clone(),
                per_second: 50,
            },
            Work::Reads {
                from: orders,
                to: Some(status.clone()),
                group: NAMES[1].to_owned(),
            },
            Work::Reads {
                from: status,
                to: None,
                group: NAMES[2].to_owned(),
            },
        ];
        let named: Vec<(&str, Work)> = NAMES.into_iter().zip(work).collect();
        let applications = Applications::new(directory, external, msk, &named);
        for name in NAMES {
            applications.start(name, "source");
        }
        let company = Self { applications };
        // A group that forms says nothing of what it reads.
        wait::until("all three work", PATIENCE, || {
            (0..PARTITIONS).all(|partition| company.given(NAMES[2], partition).len() > 50)
        });
        company
    }

    fn given(&self, name: &str, partition: i32) -> Vec<u64> {
        let processed = self.applications.processed[name].lock();
        let processed = processed.expect("nobody panics with it");
        let of = processed.get(&partition).into_iter().flatten();
        of.map(|(number, _)| *number).collect()
    }

    /// Stops the writer, lets everything run through, and compares whole sequences: how many were given again, by application.
    fn judge(&self) -> BTreeMap<&'static str, u64> {
        self.applications.stop(NAMES[0], "target");
        let written = self.applications.written.load(Ordering::Relaxed);
        assert!(written > 500, "only {written} were written");
        let mut again = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let all = (0..written).filter(|number| partition_of(*number) == partition);
            let mut expected: Vec<u64> = all.collect();
            for name in &NAMES[1..] {
                wait::until("not the same records: all is read", PATIENCE, || {
                    let given = self.given(name, partition);
                    given.last() == expected.last() && given.len() >= expected.len()
                });
                let given = self.given(name, partition);
                let judged = judge(&given, &expected);
                let judged = judged.unwrap_or_else(|why| {
                    panic!("not the same records: {name}, {partition}: {why}")
                });
                assert_eq!(
                    judged.lost, [0; 0],
                    "not the same records: {name}, partition {partition}"
                );
                *again.entry(*name).or_insert(0) += judged.again;
                expected = given;
            }
        }
        again
    }
}

#[test]
fn the_guide_from_a_self_managed_cluster_to_msk_and_the_way_back() {
    let (external, msk) = thread::scope(|scope| {
        let external = scope.spawn(|| cluster("guide-external", Version::V3_9));
        let msk = cluster("guide-msk", Version::V4_1);
        (external.join().expect("it starts"), msk)
    });
    for topic in TOPICS {
        external.create_topic(topic, PARTITIONS, &[]);
        external.wait_for_partitions(topic, PARTITIONS);
    }
    let place = support::scratch("guide-msk");
    let company = Company::start(place.path(), &external, &msk);
    let aws = Aws::start();
    let arn = aws.add_cluster(Cluster::standard("my-cluster"));
    aws.add_log_group("/msk/replicator/shop");
    let side = |kafka: &Kafka, id: &str| Place {
        id: id.to_owned(),
        bootstrap: kafka.bootstrap(),
    };
    let id = external.metadata().cluster_id;
    let _carrier = Carrier::attach(&aws, side(&external, &id), side(&msk, "msk"));
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).expect("the scratch directory is writable");
    };
    for (name, kafka) in [("external.pem", &external), ("msk.pem", &msk)] {
        file(
            name,
            &fs::read_to_string(kafka.ca()).expect("it has an authority"),
        );
    }
    file("migrator.password", MIGRATOR.1);
    let page = fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE));
    let page = page.expect("the page is there");
    let shown = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let names = vec![
        name("kafka1.example.com:9096", &external),
        name("b-1.my-cluster.example.com:9096", &msk),
        ("arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/1d9d7b4a-2c3e-4f5a-9b8c-7d6e5f4a3b2c-2".to_owned(), arn),
    ];
    let text = names.iter().fold(
        shown.expect("it shows a file").to_owned(),
        |text, (shown, real)| text.replace(shown, real),
    );
    file("migration.toml", &text);
    let mut shell = Shell::start_with(place.path(), aws.environment());
    let printed = super::run_loosely(PAGE, &mut shell, &names, loosely, |_| {});
    for said in &printed {
        assert!(!said.contains("error["), "{said}");
    }
    let announced = announced(&printed.concat());
    for (name, again) in company.judge() {
        let announced = announced.get(name).copied().unwrap_or(0);
        eprintln!("{name}: {announced} announced, {again} read again");
        assert!(
            again <= announced,
            "not the same records: {name}: {again} of {announced}"
        );
    }
    // Nothing is left that the page says is gone.
    assert_eq!(aws.replicators(), []);
}

/// What differs from run to run: how much there is of anything, what is waited for, and single positions.
fn loosely(said: &str) -> String {
    let is_fleeting = |line: &&str| line.contains(" waits  ") || line.contains(": shows (");
    let is_id = |bare: &str| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let is_hex = bare
            .chars()
            .all(|letter| letter.is_ascii_hexdigit() || letter == '-');
        // Clusters have 22 letters, journals 36; fingerprints are digits up to f.
        bare.chars().all(is_part) && (bare.len() == 22 || is_hex && bare.len() >= 8)
    };
    let word = |word: &str| {
        let bare = word.trim_matches(['(', ')', ',', ';']);
        match () {
            () if is_id(bare) => "N".to_owned(),
            () if bare.contains("arn:aws") => "ARN".to_owned(),
            () if bare.starts_with(|letter: char| letter.is_ascii_digit()) => "N".to_owned(),
            // One of them is written otherwise than several.
            () => word
                .trim_end_matches([',', ')', ';'])
                .trim_end_matches('s')
                .to_owned(),
        }
    };
    let line = |line: &str| {
        let mut words: Vec<String> = line.split_whitespace().map(word).collect();
        words.dedup();
        words.join(" ")
    };
    let lines = said.lines().filter(|line| !is_fleeting(line));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// How many records were announced to be read again, by application.
fn announced(said: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let mut moving = "";
    for line in said.lines().filter(|line| line.contains(" step  ")) {
        if let Some((_, rest)) = line.split_once(", stop ") {
            moving = rest.split(' ').next().unwrap_or_default();
        }
        if let Some((before, _)) = line.split_once(" to be read again") {
            // `… 13 records in 3 partitions`
            let words: Vec<&str> = before
                .split([' ', ','])
                .filter(|one| !one.is_empty())
                .collect();
            let at = words.iter().position(|word| word.starts_with("record"));
            let count = at.and_then(|at| words[at - 1].parse::<u64>().ok());
            *all.entry(moving.to_owned()).or_insert(0) += count.expect("it says how many");
        }
    }
    all
}
