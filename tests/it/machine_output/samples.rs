//! What the transcripts show too rarely, from the program's own types: every event, and documents with nothing left empty.

use std::collections::BTreeMap;

use kafka_migrate::{
    cluster::ScramUser,
    config::{Listed, Origin},
    engine::ledger::{
        positions::Holder,
        synced::{self, Fate, RuleStanding, Standing, Writes},
    },
    engine::status::{
        Batches, Decided, EngineState, GroupStatus, GroupsStatus, HeldStatus, MapStatus,
        OpenTransaction, PartitionMap, PlaceStatus, SeamStatus, Status, SteeredStatus, StoppedBack,
        StoppedPartition, SyncStatus, TopicStatus, TrimmedStatus, WayBack,
    },
    events::{Choice, Event, GroupsProgress, Progress},
    model::direction::Direction,
    observe::Guess,
    report,
    run::{
        plan::Plan,
        step::{Fails, Step, Undo, What},
        waiver::Waiver,
    },
    verify::{Content, Counts, Difference, Kind, Report, Shape, TopicReport, Witness},
};
use serde_json::{Value, json};

use crate::documents::read;

/// Every one with its `event`, and whether it has all that its section tells.
pub fn all() -> Vec<(Value, bool)> {
    let lines = events().into_iter().map(|event| (value(&event), true));
    let documents = [
        statuses(),
        vec![maps()],
        reports(),
        plans(),
        runs(),
        rest(),
        replicators(),
    ]
    .concat();
    let documents = documents.into_iter().map(|document| (document, false));
    lines
        .chain(documents)
        .chain([(cannot_look(), true)])
        .collect()
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("it has string keys")
}

fn named(event: &str, of: &impl serde::Serialize) -> Value {
    let mut value = value(of);
    value["event"] = event.into();
    value
}

/// Every event; a new one does not compile before it has its place here.
fn events() -> Vec<Event> {
    let mut all = Vec::new();
    let mut next = following(None);
    while let Some(event) = next {
        next = following(Some(&event));
        all.push(event);
    }
    // The same with nothing in it that may be missing.
    all.push(Event::Progress(Progress::default()));
    all.push(Event::Progress(Progress {
        records_per_second: f64::NAN,
        bytes_per_second: f64::NAN,
        ..Progress::default()
    }));
    all
}

fn choices() -> Vec<Choice> {
    [Some("kafka-migrate status".to_owned()), None]
        .map(|command| Choice {
            does: "looks".into(),
            command,
        })
        .into()
}

fn stopped(goes_on_at: Option<i64>) -> Event {
    Event::PartitionStopped {
        topic: "orders".into(),
        partition: 7,
        code: "K501".into(),
        reason: "the source begins at 40".into(),
        source_offset: 12,
        goes_on_at,
        since_ms: 1,
        choices: choices(),
    }
}

fn following(last: Option<&Event>) -> Option<Event> {
    let text = || "orders".to_owned();
    Some(match last {
        None => Event::Started {
            source_cluster: text(),
            target_cluster: text(),
            topics: 1,
            partitions: 2,
            shards: 8,
        },
        Some(Event::Started { .. }) => Event::ShardClaimed {
            shard: 0,
            generation: 1,
            identity: text(),
            took_ms: 3,
        },
        Some(Event::ShardClaimed { .. }) => Event::ShardRestarted {
            shard: 0,
            reason: text(),
        },
        Some(Event::ShardRestarted { .. }) => Event::TopicAdded {
            topic: text(),
            partitions: 2,
            created: true,
        },
        Some(Event::TopicAdded { .. }) => Event::PartitionsAdded {
            topic: text(),
            partitions: 3,
        },
        Some(Event::PartitionsAdded { .. }) => stopped(Some(40)),
        Some(Event::PartitionStopped {
            goes_on_at: Some(_),
            ..
        }) => stopped(None),
        Some(Event::PartitionStopped { .. }) => Event::Decided {
            topic: text(),
            partition: 7,
            code: text(),
            decision: text(),
        },
        Some(Event::Decided { .. }) => Event::Trimmed {
            topic: text(),
            partition: 7,
            group: text(),
            from: 12,
            to: 40,
            reason: text(),
        },
        Some(Event::Trimmed { .. }) => Event::RetentionHeld {
            topic: text(),
            settings: vec![text()],
        },
        Some(Event::RetentionHeld { .. }) => Event::RetentionRestored {
            topic: text(),
            left: vec![text()],
        },
        Some(Event::RetentionRestored { .. }) => Event::SettingsFollowed {
            topic: text(),
            brought: vec![text()],
        },
        Some(Event::SettingsFollowed { .. }) => Event::AclsFollowed {
            made: vec![text()],
            removed: vec![text()],
        },
        Some(Event::AclsFollowed { .. }) => Event::Progress(Progress {
            throttled_by: Some(text()),
            slowest: Some((text(), 2)),
            behind_ms: Some(7),
            records_per_second: 0.5,
            bytes_per_second: 0.5,
            groups: Some(GroupsProgress {
                lag_source: Some(1),
                ..GroupsProgress::default()
            }),
            ..Progress::default()
        }),
        Some(Event::Progress(_)) => Event::WayBack(Progress {
            throttled_by: Some(text()),
            slowest: Some((text(), 2)),
            behind_ms: Some(7),
            records_per_second: 0.5,
            bytes_per_second: 0.5,
            groups: Some(GroupsProgress {
                lag_source: Some(1),
                ..GroupsProgress::default()
            }),
            ..Progress::default()
        }),
        Some(Event::WayBack(_)) => Event::CaughtUp { records: 3 },
        Some(Event::CaughtUp { .. }) => Event::Draining { in_flight: 1 },
        Some(Event::Draining { .. }) => Event::Stopped {
            sealed: true,
            records: 3,
            bytes: 9,
        },
        Some(Event::Stopped { .. }) => Event::Steered { text: text() },
        Some(Event::Steered { .. }) => Event::Trouble { text: text() },
        Some(Event::Trouble { .. }) => Event::Step {
            phase: text(),
            number: 1,
            of: 3,
            step: text(),
            says: text(),
            state: text(),
            said: text(),
            took_ms: 4,
        },
        Some(Event::Step { .. }) => Event::StepWaits {
            step: text(),
            said: text(),
            waited_ms: 5,
        },
        Some(Event::StepWaits { .. }) => Event::Verifying {
            records: 1,
            bytes: 2,
            remaining: 3,
            total: 4,
        },
        Some(Event::Verifying { .. }) => return None,
    })
}

fn decided(to: Option<i64>) -> Decided {
    Decided {
        topic: "orders".into(),
        partition: 7,
        code: "K501".into(),
        decision: "given up".into(),
        from: 12,
        to,
        by: "ann on ferry".into(),
        at_ms: 1,
    }
}

fn trimmed() -> TrimmedStatus {
    TrimmedStatus {
        topic: "orders-x-repartition".into(),
        partition: 7,
        group: "orders".into(),
        offsets: 38,
        times: 2,
        from: 12,
        to: 40,
        at_ms: 1,
    }
}

/// With everything that may be there, and with nothing of it.
fn statuses() -> Vec<Value> {
    [true, false].map(status).into()
}

fn status(is_full: bool) -> Value {
    let text = || is_full.then(|| "orders".to_owned());
    let offset = || is_full.then_some(40);
    let (topic, partition) = ("orders".to_owned(), 7);
    let steered = || {
        is_full.then(|| SteeredStatus {
            what: "paused".into(),
            by: "ann on ferry".into(),
            at_ms: 1,
        })
    };
    let transaction = OpenTransaction {
        topic: topic.clone(),
        partition,
        transactional_id: text(),
        producer_id: 1,
        first_offset: 2,
        held_back: 3,
        since_ms: 4,
        timeout_ms: is_full.then_some(60_000),
    };
    let status = Status {
        v: 1,
        migration: topic.clone(),
        source_cluster: "Aaa".into(),
        target_cluster: "Bbb".into(),
        engine: EngineState::Silent,
        owner: text(),
        last_heartbeat_ms: offset(),
        topics: vec![TopicStatus {
            topic: topic.clone(),
            partitions: 8,
            stopped: 1,
            copied: 12,
            end: 50,
            lag: 38,
        }],
        stopped: vec![StoppedPartition {
            topic: topic.clone(),
            partition,
            code: "K501".into(),
            reason: "the source begins at 40".into(),
            source_offset: 12,
            goes_on_at: offset(),
            since_ms: 1,
            choices: choices(),
        }],
        decided: vec![decided(offset())],
        trimmed: vec![trimmed()],
        seams: vec![SeamStatus {
            topic: topic.clone(),
            partition,
            kept_from: 0,
            target_offset: 3,
            source_offset: 12,
        }],
        held: vec![HeldStatus {
            topic,
            setting: "retention.ms".into(),
            held: "-1".into(),
            before: text(),
            since_ms: 1,
        }],
        open_transactions: is_full.then(|| vec![transaction]),
        message_lag: is_full.then_some(38),
        records_per_second: 0.5,
        bytes_per_second: 0.5,
        throttled_by: text(),
        pause: steered(),
        limit: steered(),
        batches: Batches::default(),
        way_back: is_full.then(|| WayBack {
            engine: EngineState::Running,
            message_lag: offset().map(i64::unsigned_abs),
            records_per_second: 0.5,
            batches: Batches::default(),
            stopped: vec![StoppedBack {
                topic: "orders".into(),
                partition: 7,
                code: "K560".into(),
                reason: "whose it is cannot be known".into(),
                target_offset: 12,
                choices: choices(),
            }],
            trimmed: vec![trimmed()],
        }),
        groups: is_full.then(|| GroupsStatus {
            synced_ms: 1,
            consumer_group_count: 1,
            consumer_group_offset_sync_failures: 0,
            is_failing: false,
            sum_offset_lag_source: Some(1),
            sum_offset_lag_target: None,
            each: vec![GroupStatus {
                group: "billing".into(),
                authority: Holder::Source,
                position: "refused",
                repeats: 0,
                code: Some("K578".into()),
                reason: Some("somebody else committed there".into()),
                active_source: true,
                active_target: false,
            }],
        }),
        sync: is_full.then(sync),
    };
    named("status", &status)
}

fn sync() -> SyncStatus {
    let topic = || "orders".to_owned();
    let standing = |what, value: Option<&str>| Standing {
        topic: topic(),
        setting: "retention.ms".into(),
        source: value.map(str::to_owned),
        target: value.map(str::to_owned),
        what,
        reason: value.map(|_| "somebody has set it on the target".into()),
    };
    SyncStatus {
        settings_ms: 1,
        acls_ms: 1,
        troubles: vec!["access rules do not follow".into()],
        settings: vec![
            standing(synced::What::Left, Some("1")),
            standing(synced::What::Refused, None),
            standing(synced::What::Stays, None),
        ],
        settings_differ: 3,
        acls_there: 2,
        acls_ours: 1,
        acls: [Fate::Narrowed, Fate::Waits, Fate::Refused, Fate::Left]
            .map(|fate| RuleStanding {
                rule: "allow User:a Read on topic orders".into(),
                fate,
                reason: "it reaches beyond the scope".into(),
            })
            .to_vec(),
        acls_differ: 4,
        acls_elsewhere: 1,
        writes: vec![Writes {
            application: topic(),
            side: Holder::Target,
            by: "ann".into(),
            at_ms: 1,
        }],
        scram_missing: vec![ScramUser {
            user: "ann".into(),
            mechanism: "SCRAM-SHA-512".into(),
            iterations: 4096,
        }],
        scram_lacking: Some(1),
    }
}

fn maps() -> Value {
    let (topic, partition) = ("orders".to_owned(), 7);
    let place = |is_known: bool| PlaceStatus {
        topic: topic.clone(),
        partition,
        direction: "forward",
        committed: 40,
        offset: is_known.then_some(38),
        repeats: is_known.then_some(0),
        reason: (!is_known).then(|| "not copied yet: on record up to offset 12".into()),
    };
    let status = MapStatus {
        v: 1,
        migration: topic.clone(),
        source_cluster: "Aaa".into(),
        target_cluster: "Bbb".into(),
        maps: vec![PartitionMap {
            topic: topic.clone(),
            partition,
            direction: "forward",
            seam: 0,
            begin: 3,
            passed: 50,
            mapped_end: 47,
            segments: 4,
        }],
        places: vec![place(true), place(false)],
    };
    named("map", &status)
}

fn reports() -> Vec<Value> {
    let witnesses = [
        Witness::Off,
        Witness::Agrees { records: 3 },
        Witness::Disagrees,
        Witness::Unavailable {
            reason: "no connection".into(),
        },
    ];
    let report = |witness: Witness| {
        let is_full = witness != Witness::Off;
        let topic = TopicReport {
            topic: "orders".into(),
            partitions: 8,
            counts: Counts::default(),
            behind: false,
            absent: false,
        };
        let clusters = ["Aaa".to_owned(), "Bbb".to_owned()];
        let samples = vec![difference(is_full)];
        let mut report = Report::of("orders".into(), clusters, vec![topic.clone()], samples);
        if is_full {
            report = report.and_back(vec![topic], Vec::new());
            report.way_back.as_mut().expect("it came back").witness = witness.clone();
        }
        report.witness = witness;
        report.notes.push("something was skipped".into());
        let mut value = named("verify", &report);
        value["decided"] = value_of_all(&[decided(Some(40)), decided(None)]);
        value["decided_back"] = value_of_all(&[decided(Some(40)), decided(None)]);
        value
    };
    witnesses.map(report).into()
}

/// The run so far, with everything that it may say, and with nothing of it.
fn runs() -> Vec<Value> {
    [true, false].map(run).into()
}

fn run(is_full: bool) -> Value {
    let text = || is_full.then(|| "orders".to_owned());
    let whole = || is_full.then_some(7);
    let at = || is_full.then_some(7_i64);
    let numbers = report::numbers::Numbers {
        behind_ms: whole(),
        ..report::numbers::Numbers::default()
    };
    let moments = report::moves::Moments {
        stop_began: at(),
        stopped: at(),
        quiet: at(),
        drained: at(),
        placed: at(),
        carried: at(),
        may_start: at(),
        started: at(),
        lives: at(),
        started_again: at(),
    };
    let step = report::moves::Step {
        name: "stop".into(),
        says: "stops it".into(),
        state: "done",
        since_ms: at(),
        at_ms: 1,
        took_ms: whole(),
        said: "exit 0".into(),
    };
    let partition = report::again::Partition {
        topic: "orders".into(),
        partition: 7,
        committed: 1,
        exact: 2,
        went_on_at: 3,
        announced: 4,
        measured: whole(),
        not_measured: text(),
    };
    let group = report::again::Group {
        group: "billing".into(),
        announced: 4,
        measured: whole(),
        not_measured: text(),
        partitions: vec![partition],
    };
    let one = report::moves::Move {
        plan: 1,
        phase: "cutover".into(),
        application: "orders".into(),
        to: "target".into(),
        planned_at_ms: 1,
        ended_at_ms: at(),
        outcome: "done",
        failure: text(),
        steps: vec![step],
        moments,
        down_ms: whole(),
        ours_ms: whole(),
        interrupted: false,
        groups: vec![group],
    };
    let found = report::verified::Found::default();
    let stopped = report::Stopped {
        direction: "forward",
        topic: "orders".into(),
        partition: 7,
        code: "K501".into(),
        reason: "the source begins at 40".into(),
    };
    let run = report::Report {
        v: 1,
        at: "2026-01-31T09:14:02.123Z".into(),
        event: "report",
        migration: "orders".into(),
        backend: "embedded",
        program: "0.1.0".into(),
        two_way: true,
        source_cluster: text(),
        target_cluster: text(),
        topics: vec!["orders".into()],
        groups: vec!["billing".into()],
        journal: true,
        now: report::Now {
            copier: text(),
            topics: whole(),
            partitions: whole(),
            message_lag: whole(),
            stopped: is_full.then(|| vec![stopped]),
            way_back: is_full.then(|| report::WayBack {
                open: true,
                why: "it copies back".into(),
            }),
        },
        applications: vec![report::Standing {
            name: "billing".into(),
            at: text(),
            moving_to: text(),
            words: "on the source".into(),
        }],
        commands: vec![report::Command {
            at_ms: 1,
            command: "cutover".into(),
            host: "ferry".into(),
            version: "0.1.0".into(),
        }],
        waived: vec![Waiver {
            gate: "G212".into(),
            application: text(),
            reason: "nobody goes back".into(),
            by: "ann on ferry".into(),
            at_ms: 1,
        }],
        moves: vec![one],
        over_time: report::OverTime {
            elsewhere: text(),
            samples: vec![report::numbers::Sample {
                since_ms: 1,
                at_ms: 2,
                there: is_full.then_some(numbers),
                back: is_full.then_some(numbers),
            }],
            gaps: vec![report::Gap {
                from_ms: 1,
                until_ms: 2,
            }],
            notes: vec!["one line was passed over".into()],
        },
        verified: is_full.then(|| report::verified::Verified {
            at_ms: 1,
            verdict: "same".into(),
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            partitions: 7,
            took_ms: 1,
            there: found,
            back: Some(found),
        }),
        not_looked_at: vec!["the target: it did not answer".into()],
    };
    named("report", &run)
}

fn value_of_all(all: &[impl serde::Serialize]) -> Value {
    all.iter().map(value).collect()
}

fn difference(is_full: bool) -> Difference {
    let text = || is_full.then(|| "a text".to_owned());
    let shape = |content: Option<Content>| Shape {
        timestamp: 1,
        key_length: 2,
        key_digest: "a1".into(),
        value_length: -1,
        value_digest: "b2".into(),
        headers: 1,
        headers_digest: "c3".into(),
        content,
    };
    let content = Content {
        key: text(),
        value: text(),
        headers: vec![("name".into(), text())],
    };
    Difference {
        topic: "orders".into(),
        partition: 7,
        direction: Direction::Forward,
        kind: Kind::Different,
        source_offset: is_full.then_some(1),
        target_offset: is_full.then_some(2),
        parts: vec!["value"],
        source: Some(shape(Some(content))),
        target: is_full.then(|| shape(None)),
        detail: text(),
    }
}

fn plans() -> Vec<Value> {
    let step = |name: &str, undo: Undo, with: BTreeMap<String, String>| Step {
        name: name.into(),
        says: "does something".into(),
        what: What::Effect,
        undo,
        fails: Fails::Undo,
        with,
    };
    let with = BTreeMap::from([("topics".to_owned(), "orders".to_owned())]);
    let plan = Plan {
        v: 1,
        migration: "orders".into(),
        phase: "replicate".into(),
        subject: "billing".into(),
        made_at_ms: 1,
        rests_on: with.clone(),
        steps: vec![
            step("first", Undo::NotNeeded, BTreeMap::new()),
            step("second", Undo::By("removes it".into()), with),
            step("third", Undo::Impossible, BTreeMap::new()),
        ],
        clients: "nobody notices".into(),
        back: "Ctrl-C".into(),
    };
    vec![named("plan", &plan.saved())]
}

/// Parts of small documents.
fn rest() -> Vec<Value> {
    let origins = [
        Origin::Flag {
            flag: "--rate".into(),
        },
        Origin::Environment {
            variable: "KAFKA_MIGRATE_NAME".into(),
        },
        Origin::File { line: 1, column: 2 },
        Origin::Default,
    ];
    let listed = origins.map(|origin| Listed {
        path: "name".into(),
        value: "orders".into(),
        origin,
        used: true,
    });
    let guess = Guess {
        name: "billing".into(),
        reads: vec!["orders".into()],
        writes: vec!["bills".into()],
        groups: vec!["billing".into()],
        evidence: vec!["its members".into()],
    };
    vec![
        json!({ "event": "config", "settings": value_of_all(&listed) }),
        json!({ "event": "init", "applications": value_of_all(&[guess]) }),
        json!({ "event": "status", "journal": { "applications": [
            { "name": "orders", "at": "source", "moving_to": null },
            { "name": "billing", "at": "source", "moving_to": "target" },
        ], "plans": [], "runner": null, "trouble": null, "waived": [] } }),
        json!({ "event": "runbook", "markdown": "# Runbook" }),
        json!({ "event": "written", "out": "report.html" }),
        json!({ "event": "demo", "simulated": true, "sent": 9, "announced": 0, "again": 0, "lost": 0, "moves": 5, "report": "report.html", "took_ms": 9,
            "applications": [{ "application": "order-status", "given": 9, "lost": 0, "again": 0, "out_of_order": 0 }] }),
        json!({ "event": "sandbox", "migration": null, "simulated": true, "source": "127.0.0.1:9", "target": "127.0.0.1:8", "hooks": null }),
        json!({ "event": "sandbox", "migration": null, "simulated": true, "source": "127.0.0.1:9", "target": "127.0.0.1:8", "hooks": "applications" }),
        json!({ "event": "cleaned-up", "left": [{ "what": "the role", "how": "aws" }, { "what": "topics", "how": null }] }),
        json!({ "event": "moved", "application": "orders", "side": "target", "said": "orders is on the target" }),
    ]
}

/// Both replicators, one of them with everything and the other not there.
#[cfg(feature = "aws")]
fn replicators() -> Vec<Value> {
    use kafka_migrate::{
        msk::Direction,
        phases::msk::state::{LogLine, Number, One, Replicators},
    };
    let text = || "a text".to_owned();
    let number = |value: Option<f64>| Number {
        metric: "MessageLag",
        cluster: value.map(|_| text()),
        value,
        age_ms: value.map(|_| 61_000),
        stale: false,
        reason: value.is_none().then(text),
    };
    let one = |is_there: bool| One {
        direction: Direction::Forward,
        name: text(),
        state: is_there.then(text),
        says: is_there.then(text),
        advice: is_there.then(text),
        created_ms: is_there.then_some(1),
        numbers: match is_there {
            true => vec![number(Some(0.5)), number(None)],
            false => Vec::new(),
        },
        numbers_trouble: is_there.then(text),
    };
    let line = |is_known: bool| LogLine {
        at_ms: 1,
        text: text(),
        cause: is_known.then_some("a cause"),
        cure: is_known.then_some("a cure"),
    };
    let inside = |is_full: bool| {
        let seen = Replicators {
            replicators: vec![one(true), one(false)],
            log: vec![line(true), line(false)],
            log_trouble: is_full.then(text),
        };
        let mut value = named("replicators", &seen);
        value["source_cluster"] = text().into();
        value["target_cluster"] = text().into();
        let to = |to: Option<&str>| json!({ "name": text(), "at": "source", "moving_to": to });
        value["applications"] = json!([to(None), to(Some("target"))]);
        value["journal_trouble"] = json!(is_full.then(text));
        value
    };
    vec![inside(true), inside(false)]
}

/// A line that comes only while a cluster is away; its fields as they stand in the source.
fn cannot_look() -> Value {
    let text = read("src/cli/status/watch.rs");
    let fields = text
        .split_once("struct CannotLook<'a> {\n")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .expect("it is there")
        .0;
    let mut line = json!({ "event": "cannot-look" });
    for field in fields.lines() {
        let (name, kind) = field.trim().split_once(": ").expect("a name and a type");
        line[name] = match kind {
            _ if name == "event" => continue,
            "u32," => 1.into(),
            "String," if name == "at" => "2026-01-31T09:14:02.123Z".into(),
            "String," | "&'a str," => "orders".into(),
            "&'a [String]," => json!(["orders"]),
            other => panic!("{name} is {other}"),
        };
    }
    line
}

/// A build without AWS has none.
#[cfg(not(feature = "aws"))]
fn replicators() -> Vec<Value> {
    Vec::new()
}
