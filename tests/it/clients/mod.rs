//! What clients notice of a migration: Java's and librdkafka's, in every phase, on real clusters. The page about it is made of what they say.

mod cast;
mod judged;
mod librdkafka;
mod noticed;
mod page;
mod story;

use std::{
    fs,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use cast::{APPLICATIONS, Cast};
use librdkafka::Place;
use noticed::Row;

use crate::support::{
    kafka::Kafka,
    load::Load,
    tool::{Access, Migration, PATIENCE, Tool},
    unique, wait,
};

/// Operations and kinds of resources, as the wire numbers them.
const ALL: i8 = 2;
const WRITE: i8 = 4;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const TRANSACTIONAL_ID: i8 = 5;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;

/// The applications that move. `another` is looked at only as the reason of what the others notice.
const MOVING: [&str; 3] = ["readers", "counts", "writers"];
/// What each client does at least before a phase is over.
const SOME: usize = 10;

/// Two clusters, a migration between them, and the applications.
struct Scene<'a> {
    /// Ended before its directory, which is the migration's.
    cast: Cast,
    migration: Migration,
    stem: String,
    source: &'a Kafka,
    target: &'a Kafka,
}

impl<'a> Scene<'a> {
    fn new(source: &'a Kafka, target: &'a Kafka) -> Self {
        let stem = unique("clients");
        for topic in Self::TOPICS {
            source.create_topic(&format!("{stem}-{topic}"), 2, &[]);
        }
        // Older than half of what it is kept for: its retention is held open on the target.
        let old = format!("{stem}-old");
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let retention = days(7).as_millis().to_string();
        source.create_topic(&old, 1, &[("retention.ms", &retention)]);
        Load::to(&[(&old, 1)]).age(days(5)).fill(source, 2000);
        for (who, ..) in APPLICATIONS {
            for kind in [TOPIC, GROUP, TRANSACTIONAL_ID] {
                let principal = format!("User:{who}");
                let made =
                    source
                        .wire()
                        .allow(&principal, (kind, &format!("{stem}-"), PREFIXED), ALL);
                made.expect("the broker answers").expect("it is made");
            }
        }
        let migration = Migration::new(
            &stem,
            Access::Plain(source),
            Access::Plain(target),
            &[&format!("{stem}-*")],
        );
        migration.edit("[replication]\n", &format!("groups = [\"{stem}-*\"]\n\n[ready]\nhold = \"1s\"\nmessage_lag = 100000\noffset_lag = 100000\n\n[replication]\ntwo_way = true\nsync.acls = \"500ms\"\n"));
        let text = fs::read_to_string(migration.file()).expect("it was written");
        fs::write(migration.file(), text + &described(&stem)).expect("it is written");
        let cast = Cast::new(migration.directory(), &stem, source, target);
        Self {
            cast,
            migration,
            stem,
            source,
            target,
        }
    }

    /// What the applications make for themselves is not among them.
    const TOPICS: [&'static str; 5] = ["java", "java-tx", "rdk", "rdk-tx", "counts"];

    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.stem)
    }

    fn clients(applications: &[&str]) -> Vec<(&'static str, &'static str)> {
        let of = APPLICATIONS
            .iter()
            .filter(|one| applications.contains(&one.0));
        of.flat_map(|(who, clients, _)| clients.iter().map(move |client| (*who, *client)))
            .collect()
    }

    /// Waits until each client of these has done some more where it runs.
    #[track_caller]
    fn wait_for_work(&self, applications: &[&str]) {
        let idle = self.idle(applications, Duration::from_secs(90));
        let last = |client: &&str| self.cast.noticed.last(client, 12).join("\n");
        let last: Vec<_> = idle.iter().map(last).collect();
        assert!(
            idle.is_empty(),
            "{idle:?} do nothing; the last of each:\n{}",
            last.join("\n\n")
        );
    }

    /// Waits until each client of these is told of this, since then.
    #[track_caller]
    fn wait_until_told(&self, clients: &[(&str, &str)], what: &str, since: Instant) {
        for (who, client) in clients {
            wait::until(&format!("{client} of {who}: {what}"), PATIENCE, || {
                let told = self.cast.noticed.all(|event| {
                    event.at > since
                        && event.who == *who
                        && event.client == *client
                        && format!("{} {}", event.what, event.more).starts_with(what)
                });
                !told.is_empty()
            });
        }
    }

    /// Waits until they have done some more, and answers which have not done so.
    fn idle(&self, applications: &[&str], limit: Duration) -> Vec<&'static str> {
        let since = Instant::now();
        let mut idle = Self::clients(applications);
        wait::whether(limit, || {
            idle.retain(|(who, client)| {
                let side = self.cast.side(who);
                self.cast.noticed.work(who, client, side, since) < SOME
            });
            idle.iter().all(|(who, client)| self.has_ended(who, client))
        });
        idle.into_iter().map(|(_, client)| client).collect()
    }

    /// Is one at its end that could not go on?
    fn has_ended(&self, who: &str, client: &str) -> bool {
        let of = |event: &noticed::Event| event.who == who && event.client == client;
        let events = self.cast.noticed.all(of);
        events.last().is_some_and(|last| last.what == "down")
    }

    /// What the clients of these noticed of what is done, which ends when all of them go on.
    #[track_caller]
    fn row(&self, applications: &[&str], phase: impl FnOnce()) -> Row {
        let from = Instant::now();
        phase();
        self.wait_for_work(applications);
        self.stretch(applications, from)
    }

    /// Moves all of them, one after the other: what each noticed of its own move, and what the others noticed of that of the writers.
    #[track_caller]
    fn all_move(&self, command: &str) -> (Row, Row) {
        let (mut own, mut of_writers) = (Row::new(), Row::new());
        for who in MOVING {
            if command == "cutover" {
                self.wait_until_open(who);
            }
            let row = self.row(&MOVING, || self.moves(&[command, "--app", who]));
            for (of, client) in Self::clients(&MOVING) {
                let cell = row[client].clone();
                if of == who {
                    own.insert(client.to_owned(), cell);
                } else if who == "writers" {
                    of_writers.insert(client.to_owned(), cell);
                }
            }
        }
        (own, of_writers)
    }

    #[track_caller]
    fn wait_until_open(&self, who: &str) {
        // A person has to know that Streams is among them.
        let asked = ["ready", "--app", who, "--wait", "3m"];
        let waived = ["--waive", "G121=its internal topics are in scope"];
        let waived = &waived[..if who == "counts" { 2 } else { 0 }];
        self.migration
            .run(&[&asked[..], waived].concat())
            .assert_exit(0);
    }

    /// What they noticed since then.
    fn stretch(&self, applications: &[&str], from: Instant) -> Row {
        let to = Instant::now();
        let clients = Self::clients(applications).into_iter();
        clients
            .map(|(who, client)| {
                let cell = self.cast.noticed.stretch(who, client, from, to);
                (client.to_owned(), cell)
            })
            .collect()
    }

    fn engine(&self) -> Tool {
        self.migration.command(&["replicate"]).start()
    }

    /// A move, confirmed and quick.
    #[track_caller]
    fn moves(&self, arguments: &[&str]) {
        let always = ["--confirm", &self.stem, "--quiet-for", "500ms"];
        let finished = self.migration.run(&[arguments, &always].concat());
        eprintln!("{finished}");
        finished.assert_exit(0);
    }

    /// Keeps an application from writing on the source, or lets it again, as a person would do it by hand.
    fn denies(&self, who: &str, topics: &[&str], denied: bool) {
        let principal = format!("User:{who}");
        for topic in topics {
            let name = self.topic(topic);
            let resource = (TOPIC, &*name, LITERAL);
            let done = match denied {
                true => self.source.wire().deny(&principal, resource, WRITE),
                false => self.source.wire().undeny(&principal, resource, WRITE),
            };
            done.expect("the broker answers").expect("it is done");
        }
    }

    /// Where a transaction of the writers' can be left open.
    fn open_place(&self) -> Place {
        Place {
            who: "open".to_owned(),
            kind: "transactions",
            side: "source".to_owned(),
            stem: self.stem.clone(),
            servers: self.source.secure_bootstrap().join(","),
            authority: self.source.ca(),
            noticed: self.cast.noticed.clone(),
            next: Arc::new(AtomicU64::new(3_000_000)),
            stop: Arc::default(),
        }
    }
}

/// What the migration file says of them.
fn described(stem: &str) -> String {
    let hooks = "hooks = { stop = \"applications/stop.sh\", start = \"applications/start.sh\" }";
    let topics = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{stem}-{name}")).collect()
    };
    let written = topics(&["java", "java-tx", "rdk", "rdk-tx"]);
    let of_rdk = topics(&["rdk", "rdk-tx"]);
    let counted = topics(&["counts", "streams-*"]);
    let counts = topics(&["java", "streams-*"]);
    format!(
        "\n[[application]]\nname = \"writers\"\nwrites = {written:?}\nprincipals = [\"User:writers\"]\n{hooks}\n\
         [[application]]\nname = \"readers\"\nreads = {written:?}\ngroups = [\"{stem}-readers-*\"]\nprincipals = [\"User:readers\"]\n{hooks}\n\
         [[application]]\nname = \"counts\"\nreads = {counts:?}\nwrites = {counted:?}\ngroups = [\"{stem}-streams\"]\nprincipals = [\"User:counts\"]\n{hooks}\n\
         [[application]]\nname = \"another\"\nreads = {of_rdk:?}\ngroups = [\"{stem}-another-*\"]\nprincipals = [\"User:another\"]\n{hooks}\n"
    )
}
