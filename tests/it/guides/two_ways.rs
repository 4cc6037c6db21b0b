//! docs/guides/two-ways.md: two applications write on both sides, three groups go over and come back ten times while the tool is killed; every
//! record is processed once where one side writes, and as often again as was announced where both do.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, thread};

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    Shell,
    page::{number_before, under_load},
};
use crate::{
    phases::{
        applications::{Applications, PARTITIONS, Work, partition_of},
        judged::judge,
    },
    support::{
        self,
        kafka::{Kafka, Version},
        wait,
    },
};

const PAGE: &str = "docs/guides/two-ways.md";
const PATIENCE: Duration = Duration::from_secs(120);
const SHELL_PATIENCE: Duration = Duration::from_secs(1200);
const GROUPS: [&str; 3] = ["billing", "audit", "search"];
/// What is written on the target begins with this number.
const ON_TARGET: u64 = 1_000_000_000;

/// Who works while the page is read.
struct Company {
    /// The three that move, and who writes orders on the source.
    moving: Applications,
    /// Writes clicks on the source.
    left: Applications,
    /// Writes clicks on the target.
    right: Applications,
}

impl Company {
    fn start(directory: &Path, source: &Kafka, target: &Kafka) -> Self {
        let writes = |topic: &str, per_second| Work::Writes {
            to: topic.to_owned(),
            per_second,
        };
        let reads = |topic: &str, group: &str| Work::Reads {
            from: topic.to_owned(),
            to: None,
            group: group.to_owned(),
        };
        let topics = ["orders", "orders", "clicks"];
        let mut all: Vec<(&str, Work)> = GROUPS
            .into_iter()
            .zip(topics)
            .map(|(group, topic)| (group, reads(topic, group)))
            .collect();
        all.push(("shop", writes("orders", 50)));
        let moving = Applications::new(directory, source, target, &all);
        let clicks = |side: &str| {
            let place = directory.join(side);
            Applications::new(&place, source, target, &[("clicks", writes("clicks", 30))])
        };
        let (left, right) = (clicks("left"), clicks("right"));
        right.written.store(ON_TARGET, Ordering::Relaxed);
        for group in GROUPS {
            moving.start(group, "source");
        }
        moving.start("shop", "source");
        left.start("clicks", "source");
        let company = Self {
            moving,
            left,
            right,
        };
        wait::until("all three read", PATIENCE, || {
            let given = |group| company.given(group, 0).len();
            GROUPS.into_iter().all(|group| given(group) > 10)
        });
        company
    }

    fn given(&self, group: &str, partition: i32) -> Vec<u64> {
        let processed = self.moving.processed[group].lock();
        let processed = processed.expect("nobody panics with it");
        let of = processed.get(&partition).into_iter().flatten();
        of.map(|(number, _)| *number).collect()
    }

    /// Compares whole sequences of each writer: nothing is missing, nothing out of order. Answers with how much each group was given again.
    fn judge(&self) -> BTreeMap<&'static str, u64> {
        let mut again = BTreeMap::new();
        let orders = 0..self.moving.written.load(Ordering::Relaxed);
        let clicks = [
            0..self.left.written.load(Ordering::Relaxed),
            ON_TARGET..self.right.written.load(Ordering::Relaxed),
        ];
        assert!(orders.end > 1000 && clicks[0].end > 1000 && clicks[1].end > ON_TARGET + 1000);
        for partition in 0..PARTITIONS {
            for group in GROUPS {
                let writers = match group {
                    "search" => &clicks[..],
                    _ => std::slice::from_ref(&orders),
                };
                for written in writers {
                    let of = |number: &u64| partition_of(*number) == partition;
                    let expected: Vec<u64> = written.clone().filter(of).collect();
                    let given = || {
                        let mut given = self.given(group, partition);
                        given.retain(|number| written.contains(number));
                        given
                    };
                    wait::until("all is read", PATIENCE, || {
                        given().last() == expected.last()
                    });
                    let judged = judge(&given(), &expected);
                    let judged = judged.unwrap_or_else(|why| panic!("{group}-{partition}: {why}"));
                    assert_eq!(judged.lost, [0; 0], "{group}, partition {partition}");
                    *again.entry(group).or_insert(0) += judged.again;
                }
            }
        }
        again
    }
}

/// Whether a group that both sides write for would read something twice just now is another thing each time.
fn loosely(said: &str) -> String {
    let stays = |line: &&str| !line.starts_with("search ");
    let lines: Vec<&str> = said.lines().filter(stays).collect();
    under_load(&lines.join("\n"))
}

#[test]
fn numbers_count_for_nothing_and_words_do() {
    assert_eq!(
        loosely("shop 2XqK7vHjTM2x9weZBe_zBA,  1,204 records twice"),
        "shop 2XqK7vHjTM2x9weZBe_zBA, 9 record twice"
    );
    assert_eq!(loosely("15:02:03 waits 3 records\nowner vm"), "");
    assert_ne!(loosely("2 exact"), loosely("2 refused"));
}

#[test]
fn the_guide_of_groups_that_go_over_and_come_back() {
    let (source, target) = thread::scope(|scope| {
        let start = |name| Kafka::spec(name).version(Version::V4_1).start();
        let source = scope.spawn(move || start("two-ways-source"));
        let target = start("two-ways-target");
        (source.join().expect("it starts"), target)
    });
    for topic in ["orders", "clicks"] {
        source.create_topic(topic, PARTITIONS, &[]);
        source.wait_for_partitions(topic, PARTITIONS);
    }
    let place = support::scratch("two-ways");
    let company = Company::start(place.path(), &source, &target);
    let names = vec![
        (
            "old.example.com:9092".to_owned(),
            source.bootstrap()[0].clone(),
        ),
        (
            "new.example.com:9092".to_owned(),
            target.bootstrap()[0].clone(),
        ),
        (
            "/home/ann/shop".to_owned(),
            place.path().display().to_string(),
        ),
    ];
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE));
    let page = page.expect("the page is there");
    let block = |language: &str| {
        let text = page.split(&format!("```{language}\n")).nth(1);
        let text = text.and_then(|text| text.split("```").next());
        let text = text.unwrap_or_else(|| panic!("no block of {language}"));
        let real = names[..2].iter();
        real.fold(text.to_owned(), |text, (shown, real)| {
            text.replace(shown, real)
        })
    };
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).expect("the scratch directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    file("migration.toml", &block("toml"));
    file("over-and-back.sh", &block("bash"));
    // The writers stand for applications that nobody moves.
    let want =
        |place: &str, name: &str, side: &str| format!("{place}applications/want-{name}-{side}");
    let (shop, left) = (
        want("", "shop", "source"),
        want("left/", "clicks", "source"),
    );
    let right = want("right/", "clicks", "target");
    let runs = right.replace("want-", "runs-");
    file(
        "write-on-the-target.sh",
        &format!("#!/bin/sh\ntouch {right}\nwhile [ ! -e {runs} ]; do sleep 0.05; done\n"),
    );
    let gone = [&shop, &left, &right].map(|want| want.replace("want-", "runs-"));
    file(
        "stop-writing.sh",
        &format!(
            "#!/bin/sh\nrm {shop} {left} {right}\nwhile [ -e {} ] || [ -e {} ] || [ -e {} ]; do sleep 0.05; done\n",
            gone[0], gone[1], gone[2]
        ),
    );
    let mut shell = Shell::start(place.path());
    shell.patience = SHELL_PATIENCE;
    let printed = super::run_loosely(PAGE, &mut shell, &names, loosely, |_| {});
    let announced = printed.iter().find(|said| said.contains("announced"));
    let announced = announced.expect("the page counts what was announced");
    let again = company.judge();
    eprintln!("announced: {announced}given again: {again:?}");
    assert_eq!((again["billing"], again["audit"]), (0, 0));
    assert_eq!(again["search"], number_before("announced", announced));
}
