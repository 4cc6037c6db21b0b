//! Repartition topics of Kafka Streams: what their owner had read and deleted before it was copied is no gap, and anything else is one.

use std::time::Duration;

use kafka_migrate::sandbox::{Action, Rule, When};
use kafka_protocol::messages::ApiKey;
use serde_json::{Value, json};

use crate::{
    groups::{commit, committed},
    support::{
        codecs::Record,
        kafka::{Kafka, MIGRATOR},
        load::Load,
        shared_pair,
        simulated::Pair,
        tool::{Access, Finished, Migration, PATIENCE},
        unique, wait,
    },
};

use super::{
    stops::{status, stops},
    stops_past::{assert_holds, records},
    wait_until_target_holds,
};

/// An application of Kafka Streams as far as its repartition topic is concerned: a group that commits, and deletes what it has read.
struct Owner {
    group: String,
    topic: String,
    source: &'static Kafka,
    target: &'static Kafka,
    migration: Migration,
}

impl Owner {
    /// The first hundred records of its topic are copied.
    fn new(stem: &str) -> Self {
        let (source, target) = shared_pair();
        let group = unique(stem);
        let topic = format!("{group}-by-city-repartition");
        source.create_topic(&topic, 1, &[]);
        Load::to(&[(&topic, 1)]).fill(source, 100);
        let migration = Migration::of_topic(source, target, &topic);
        let topics = format!("topics = [{topic:?}]");
        let groups = format!("{topics}\ngroups = [\"{group}\", \"at-*-of-{group}\"]");
        migration.edit(&topics, &groups);
        let owner = Self {
            group,
            topic,
            source,
            target,
            migration,
        };
        owner.commits(0);
        owner.migration.catch_up();
        owner
    }

    fn commits(&self, offset: i64) {
        commit(self.source, &self.group, &self.topic, offset, "");
    }

    fn end(&self) -> i64 {
        self.source
            .end_offset(&self.topic, 0)
            .expect("it has an end")
    }

    fn writes(&self, count: u64) -> i64 {
        let from = self.end();
        Load::to(&[(&self.topic, 1)]).fill(self.source, count);
        from
    }

    /// As Streams does every `repartition.purge.interval.ms`, though never above what it has committed.
    fn purges(&self, before: i64) {
        purge(self.source, &self.topic, before);
    }

    fn records(&self) -> Vec<Record> {
        records(self.source, &self.topic)
    }

    /// What `status` says was passed over: from, to, offsets in all, and how often.
    #[track_caller]
    fn trimmed(&self) -> Vec<(i64, i64, i64, i64)> {
        let status = status(&self.migration);
        assert_eq!(status["stopped"], json!([]), "{status:#}");
        let all = status["trimmed"].as_array().expect("a list").iter();
        let number = |value: &Value| value.as_i64().expect("a number");
        all.map(|one| {
            assert_eq!(
                (&one["topic"], &one["group"]),
                (&json!(self.topic), &json!(self.group))
            );
            let [from, to, offsets, times] = ["from", "to", "offsets", "times"].map(|of| &one[of]);
            (number(from), number(to), number(offsets), number(times))
        })
        .collect()
    }
}

fn purge(kafka: &Kafka, topic: &str, before: i64) {
    let mut wire = kafka.wire_to_leader(topic, 0).expect("it has a leader");
    let deleted = wire.delete_records(topic, 0, before);
    deleted.expect("the broker answers").expect("they go");
}

/// `replicate --json --until caught-up`.
fn catch_up(migration: &Migration) -> Finished {
    migration.run(&["--json", "replicate", "--until", "caught-up"])
}

/// Of all events of that name.
fn told(finished: &Finished, name: &str) -> Vec<Value> {
    let lines = finished.stdout.lines();
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|one| one["event"] == name).collect()
}

#[test]
fn an_owner_that_purges_while_no_engine_runs_leaves_no_gap_and_positions_stay_exact() {
    let owner = Owner::new("purged");
    let copied = owner.records();
    let from = owner.writes(100);
    let (to, stands) = (from + 50, from + 60);
    // Other groups stand all over the place: in front of what is deleted, in it, at its end, behind.
    let places = [
        from - 10,
        from,
        from + 20,
        to - 1,
        to,
        to + 1,
        stands,
        owner.end(),
    ];
    for place in places {
        let group = format!("at-{place}-of-{}", owner.group);
        commit(owner.source, &group, &owner.topic, place, "");
    }
    owner.commits(stands);
    owner.purges(to);

    let finished = catch_up(&owner.migration);
    finished.assert_exit(0);
    let told = told(&finished, "trimmed");
    assert_eq!(told.len(), 1, "{finished}");
    assert_eq!(
        (&told[0]["from"], &told[0]["to"], &told[0]["group"]),
        (&json!(from), &json!(to), &json!(owner.group))
    );
    let rest = owner.records();
    assert_eq!(rest.first().map(|first| first.offset), Some(to));
    assert_holds(owner.target, &owner.topic, &[&copied, &rest]);
    assert_eq!(owner.trimmed(), [(from, to, to - from, 1)]);

    // Each goes on with the first record that is left for it, here and there.
    let there = records(owner.target, &owner.topic);
    let whole: Vec<&Record> = copied.iter().chain(&rest).collect();
    for place in places {
        let read = whole.iter().filter(|one| one.offset < place).count();
        let group = format!("at-{place}-of-{}", owner.group);
        let found = committed(owner.target, &group, &owner.topic);
        let (stands, _) = found.unwrap_or_else(|| panic!("{place} is not carried"));
        // What lies between two records there, markers of our own, makes no difference.
        let before = there.iter().filter(|one| one.offset < stands).count();
        assert_eq!(before, read, "{place} became {stands}");
    }
    owner.migration.verify();

    // Once more, of everything: nothing is left to be copied, and it is at the end.
    let from_again = owner.writes(30);
    let end = owner.end();
    owner.commits(end);
    owner.purges(end);
    catch_up(&owner.migration).assert_exit(0);
    let both = (to - from) + (end - from_again);
    assert_eq!(owner.trimmed(), [(from_again, end, both, 2)]);
    assert_eq!(status(&owner.migration)["message_lag"], 0);
    owner.migration.verify();
    owner.writes(10);
    catch_up(&owner.migration).assert_exit(0);
    let last = owner.records();
    assert_holds(owner.target, &owner.topic, &[&copied, &rest, &last]);
    assert_eq!(owner.trimmed(), [(from_again, end, both, 2)]);
}

#[test]
fn an_engine_that_is_overtaken_in_mid_run_goes_on_behind_it() {
    let owner = Owner::new("overtaken");
    let before = records(owner.target, &owner.topic).len();
    owner.writes(20_000);
    let all = owner.records();
    let line = [
        "--json",
        "replicate",
        "--until",
        "caught-up",
        "--rate",
        "40KB",
    ];
    let tool = owner.migration.command(&line).start();
    let some = i64::try_from(before).expect("few") + 20;
    wait_until_target_holds(owner.target, &owner.topic, some);
    let to = owner.end() - 50;
    owner.commits(to);
    owner.purges(to);
    let finished = tool.wait(PATIENCE);
    finished.assert_exit(0);

    let passed = told(&finished, "trimmed");
    assert_eq!(passed.len(), 1, "{finished}");
    assert_eq!(passed[0]["to"], json!(to));
    let from = passed[0]["from"].as_i64().expect("an offset");
    let (front, rest): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|one| one.offset < from || one.offset >= to)
        .partition(|one| one.offset < from);
    assert!(
        front.len() > before && front.len() < 20_000,
        "{}",
        front.len()
    );
    assert_holds(owner.target, &owner.topic, &[&front, &rest]);
    assert_eq!(owner.trimmed(), [(from, to, to - from, 1)]);
    owner.migration.verify();
}

#[test]
fn what_its_owner_had_not_read_is_a_gap_and_it_is_said_why() {
    let owner = Owner::new("unread");
    let copied = owner.records();
    let from = owner.writes(100);
    let to = from + 50;
    owner.commits(to - 1);
    owner.purges(to);
    let range = format!("source offsets {from} to {} were deleted", to - 1);
    let why = format!(
        "its owner, group {}, has committed no more than offset {}",
        owner.group,
        to - 1
    );
    stops(&owner.migration, &["K501", &range, &why]);
    let seen = status(&owner.migration);
    assert_eq!(seen["trimmed"], json!([]), "{seen:#}");
    assert_eq!(seen["stopped"][0]["goes_on_at"], json!(to));
    assert_holds(owner.target, &owner.topic, &[&copied]);
    // Every start looks again.
    owner.commits(to);
    catch_up(&owner.migration).assert_exit(0);
    assert_holds(owner.target, &owner.topic, &[&copied, &owner.records()]);
    assert_eq!(owner.trimmed(), [(from, to, to - from, 1)]);

    // Nobody's: the name alone says nothing.
    let (source, target) = shared_pair();
    let topic = format!("{}-x-repartition", unique("nobody"));
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 20);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    Load::to(&[(&topic, 1)]).fill(source, 20);
    purge(
        source,
        &topic,
        source.end_offset(&topic, 0).expect("an end"),
    );
    stops(&migration, &["K501", "no group whose name it begins with"]);
}

#[test]
fn killed_around_the_record_of_it_it_goes_on_the_same_and_asks_nobody_again() {
    let owner = Owner::new("killed");
    let copied = owner.records();
    let from = owner.writes(100);
    let to = from + 50;
    owner.commits(to);
    owner.purges(to);
    let crash = |step: &str| {
        let crashed = owner
            .migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    };
    for step in ["trim-decided:1", "trim-appending:1"] {
        crash(step);
        assert_eq!(owner.trimmed(), [], "{step}");
    }
    crash("trim-recorded:1");
    assert_eq!(owner.trimmed(), [(from, to, to - from, 1)]);
    // Whoever asked again would be told that nothing was read.
    owner.commits(0);
    for step in ["run-recorded:1", "produce-answered:1"] {
        crash(step);
        assert_eq!(owner.trimmed(), [(from, to, to - from, 1)], "{step}");
    }
    catch_up(&owner.migration).assert_exit(0);
    assert_holds(owner.target, &owner.topic, &[&copied, &owner.records()]);
    assert_eq!(owner.trimmed(), [(from, to, to - from, 1)]);
}

#[test]
fn without_the_right_to_look_into_its_owner_it_is_a_gap_and_the_right_is_named() {
    let (_, target) = shared_pair();
    let source = Kafka::spec("no-describe").secure().start();
    let group = unique("hidden");
    let topic = format!("{group}-x-repartition");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(&source, 20);
    let principal = format!("User:{}", MIGRATOR.0);
    let rule = |resource: (i8, &str, i8), operation: i8| {
        let ruled = source.wire().allow(&principal, resource, operation);
        ruled.expect("the broker answers").expect("it is taken");
    };
    // Everything (2) on topics; nothing on groups.
    rule((2, "*", 3), 2);
    let migration = Migration::new(
        &topic,
        Access::Secure(&source, "scram-sha-512"),
        Access::Plain(target),
        &[&topic],
    );
    migration.catch_up();
    Load::to(&[(&topic, 1)]).fill(&source, 20);
    let to = source.end_offset(&topic, 0).expect("it has an end");
    commit(&source, &group, &topic, to, "");
    purge(&source, &topic, to);
    let named = "the right Describe is missing on";
    stops(&migration, &["K501", named, &group]);
    // Who may Describe the cluster (8) is shown it in a list, and may still not look into it.
    rule((4, "kafka-cluster", 3), 8);
    let named = format!("where group {group} stands, whose it may be, cannot be read");
    stops(
        &migration,
        &["K501", &named, "the right Describe on the group is missing"],
    );
    // Describe (8) on the group.
    rule((3, &group, 3), 8);
    migration.catch_up();
    assert_eq!(status(&migration)["stopped"], json!([]));
    assert_eq!(status(&migration)["trimmed"][0]["to"], json!(to));
}

/// A batch is on its way to the target for long, and the source is asked meanwhile for what lies behind and is gone.
#[test]
fn what_is_still_being_written_is_none_of_what_is_passed_over() {
    const WRITING: Duration = Duration::from_secs(8);
    const ASKING: Duration = Duration::from_secs(3);
    let topic = "shop-sums-repartition";
    let pair = Pair::new("writing", topic);
    pair.write(0..10);
    let engine = pair.migration().command(&["--json", "replicate"]).start();
    wait::until("they are copied", PATIENCE, || pair.copied().len() == 10);
    let (source, target) = (pair.source().faults(), pair.target().faults());
    let late = |api, by| Rule::new(api, When::Nth(1), Action::Delay(by));
    let writing = target.add(late(ApiKey::Produce, WRITING).of_topic(topic));
    pair.write([10]);
    wait::until("it writes", PATIENCE, || target.count(writing) == 1);
    let asking = source.add(late(ApiKey::Fetch, ASKING));
    wait::until("it asks", PATIENCE, || source.count(asking) == 1);
    pair.write(11..20);
    pair.commit("shop", 15);
    pair.delete(15);
    assert_eq!(pair.copied().len(), 10, "all of this took too long");
    wait::until("the rest is copied", PATIENCE, || {
        pair.copied().last() == Some(&19)
    });
    let wanted: Vec<u32> = (0..=10).chain(15..20).collect();
    assert_eq!(pair.copied(), wanted);
    let status = status(pair.migration());
    assert_eq!(status["stopped"], json!([]), "{status:#}");
    let passed = &status["trimmed"][0];
    let ends = ["from", "to", "offsets", "times"].map(|of| passed[of].as_i64());
    assert_eq!(ends, [11, 15, 4, 1].map(Some), "{status:#}");
    engine.kill();
}
