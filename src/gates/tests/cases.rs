//! For every gate what makes it block, and what keeps it from looking.

use super::*;

pub(super) type Change = fn(&mut Observation);

pub(super) fn value<T>(known: &mut Known<T>) -> &mut T {
    match known {
        Known::Seen { value, .. } => value,
        Known::Unknown { reason } => panic!("it is known in the example: {reason}"),
    }
}

pub(super) fn waits(seen: &mut Observation, records: u64, age: i64) {
    seen.metrics.waiting = Known::seen(vec![Waiting {
        topic: "orders".into(),
        records,
        since_ms: seen.at_ms - age,
    }]);
}

pub(super) fn aws(seen: &mut Observation) -> &mut AmazonSeen {
    seen.amazon.as_deref_mut().expect("it is in the example")
}

pub(super) fn back(seen: &mut Observation) -> &mut BackSeen {
    seen.back.as_mut().expect("it is in the example")
}

pub(super) fn follows(seen: &mut Observation) -> &mut FollowsSeen {
    seen.follows.as_mut().expect("it is in the example")
}

pub(super) fn first(seen: &mut Observation) -> &mut TopicSeen {
    &mut value(&mut seen.topics)[0]
}

pub(super) fn not<T>() -> Known<T> {
    Known::unknown("nobody told")
}

pub(super) fn trouble() -> Option<Trouble> {
    Some(Trouble {
        code: "K1xx".into(),
        message: "it refused the login of migrator".into(),
        hint: Some("check the password".into()),
    })
}

pub(super) fn batch() -> BatchSeen {
    BatchSeen {
        partition: 0,
        offset: 7,
        bytes: 5 << 20,
        records: 1,
    }
}

/// For each gate: what makes it block, and what makes it unknown.
pub(super) const CASES: &[(&str, Change, Change)] = &[
    (
        "G101",
        |seen| seen.source.trouble = trouble(),
        |seen| seen.target.brokers = not(),
    ),
    (
        "G102",
        |seen| seen.target.id.clone_from(&seen.source.id),
        |seen| seen.source.id = None,
    ),
    (
        "G103",
        |seen| value(&mut seen.target.brokers)[0].lacks = vec!["Produce"],
        |seen| seen.source.brokers = not(),
    ),
    (
        "G104",
        |seen| {
            seen.target.clock = Known::seen(ClockSeen {
                ahead_ms: 600_000,
                within_ms: 2,
            })
        },
        |seen| seen.source.clock = not(),
    ),
    (
        "G105",
        |seen| {
            value(&mut seen.source.brokers)[1].certificate_ends =
                Some(seen.at_ms / 1000 + 3 * 86_400)
        },
        |seen| value(&mut seen.source.brokers)[1].certificate_ends = None,
    ),
    (
        "G106",
        |seen| first(seen).source_rights = Known::seen(Operations::new()),
        |seen| first(seen).source_rights = not(),
    ),
    (
        "G107",
        |seen| {
            first(seen).target = Known::seen(None);
            first(seen).creation = Known::seen(Some(Refusal {
                code: 29,
                message: "TOPIC_AUTHORIZATION_FAILED (29)".into(),
            }));
        },
        |seen| {
            first(seen).target = Known::seen(None);
            first(seen).creation = not();
        },
    ),
    (
        "G108",
        |seen| first(seen).target_rights.write = Known::seen(Probe::Denied),
        |seen| first(seen).target_rights.read = not(),
    ),
    (
        "G109",
        |seen| seen.engine_rights.delete = Known::seen(Probe::Denied),
        |seen| seen.engine_rights.write = not(),
    ),
    (
        "G110",
        |seen| seen.engine_rights.transactions = Known::seen(Probe::Denied),
        |seen| seen.engine_rights.transactions = not(),
    ),
    (
        "G111",
        |seen| value(&mut seen.source_groups).denied = vec!["billing".into()],
        |seen| value(&mut seen.source_groups).complete = false,
    ),
    (
        "G112",
        |seen| value(&mut first(seen).sample).largest_single = Some(batch()),
        |seen| first(seen).sample = not(),
    ),
    (
        "G113",
        |seen| {
            value(&mut first(seen).target_settings).before_max_ms = Some(86_400_000);
            value(&mut first(seen).sample).oldest = Some((batch(), 1));
        },
        |seen| first(seen).target_settings = not(),
    ),
    (
        "G114",
        |seen| {
            value(&mut seen.source.quotas).consume = Some(1.0);
            for partition in &mut first(seen).partitions {
                (partition.copied, partition.source_stable) = (Some(0), Some(1_000_000));
            }
        },
        |seen| seen.target.quotas = not(),
    ),
    (
        "G115",
        |seen| {
            value(&mut first(seen).target_settings).compacts = true;
            value(&mut first(seen).sample).unkeyed = Some(batch());
        },
        |seen| first(seen).source_settings = not(),
    ),
    (
        "G116",
        |seen| seen.asked.replication_factor = Some(4),
        |seen| first(seen).creation = not(),
    ),
    (
        "G117",
        |seen| first(seen).source.partitions = 6,
        |seen| first(seen).target = not(),
    ),
    (
        "G118",
        |seen| first(seen).met = Known::seen(false),
        |seen| first(seen).met = not(),
    ),
    (
        "G119",
        |seen| {
            seen.others = Known::seen(vec![OtherSeen {
                on: Side::Target,
                ledger: "kafka-migrate.other.forward".into(),
                content: Known::seen(OtherCopies {
                    migration: "other".into(),
                    source_cluster: "Ccc".into(),
                    target_cluster: "Bbb".into(),
                    topics: vec!["orders".into()],
                }),
            }]);
        },
        |seen| {
            seen.others = Known::seen(vec![OtherSeen {
                on: Side::Source,
                ledger: "kafka-migrate.other.forward".into(),
                content: not(),
            }]);
        },
    ),
    (
        "G120",
        |seen| seen.missing_topics = vec!["refunds".into()],
        |seen| seen.topics = not(),
    ),
    (
        "G121",
        |seen| {
            seen.asked.application = Some("order-status".into());
            value(&mut seen.source_groups).groups[0].kind = GroupKind::Streams;
        },
        |seen| seen.source_groups = not(),
    ),
    (
        "G122",
        |seen| {
            seen.fidelity = Known::seen(Fidelity::Tried {
                brokers: 1,
                batches: 5,
                changed: vec!["broker 1: a batch in lz4: other producer id".into()],
                left: None,
            })
        },
        |seen| {
            seen.fidelity = Known::seen(Fidelity::NotAllowed {
                topic: "kafka-migrate.orders.probe".into(),
                lacks: vec!["Delete"],
            })
        },
    ),
    (
        "G123",
        |seen| seen.asked.most_topics = Some(1),
        |seen| seen.topics = not(),
    ),
    (
        "G124",
        |seen| {
            seen.asked.bytes_per_second = Some(1);
            first(seen).partitions[0].copied = None;
            value(&mut first(seen).source_settings).retention_ms = Some(1000);
        },
        |seen| first(seen).sample = not(),
    ),
    (
        "G125",
        |seen| {
            value(&mut seen.target.clients)[1].trouble = Some("certificate verify failed".into())
        },
        |seen| seen.source.clients = not(),
    ),
    (
        "G126",
        |seen| seen.target.everyone = Known::seen(Everyone::Everything),
        |seen| seen.source.everyone = not(),
    ),
    (
        "G127",
        |seen| {
            let old = seen.at_ms - 8 * 86_400_000;
            let topic = first(seen);
            topic.target_rights.alter_configs = Known::seen(Probe::Denied);
            value(&mut topic.sample).oldest = Some((batch(), old));
        },
        |seen| first(seen).objections = not(),
    ),
    (
        "G128",
        |seen| value(&mut seen.commits_denied).push("order-status".into()),
        |seen| seen.commits_denied = not(),
    ),
    (
        "G129",
        |seen| back(seen).denied = Known::seen(vec!["orders".into()]),
        |seen| back(seen).fidelity = not(),
    ),
    (
        "G130",
        |seen| {
            follows(seen).settings = Some(Known::seen(vec![Standing {
                topic: "orders".into(),
                setting: "retention.ms".into(),
                source: Some("1".into()),
                target: Some("2".into()),
                what: What::Left,
                reason: Some("somebody has set it on the target".into()),
            }]));
        },
        |seen| follows(seen).settings = Some(not()),
    ),
    (
        "G131",
        |seen| {
            let why = "the target has no authorizer".into();
            follows(seen).acls = Some(Known::seen(AclsSeen::Differ(why)));
        },
        |seen| follows(seen).acls = Some(not()),
    ),
    (
        "G132",
        |seen| {
            follows(seen).users_missing = Known::seen(vec![ScramUser {
                user: "ann".into(),
                mechanism: "SCRAM-SHA-512".into(),
                iterations: 4096,
            }]);
        },
        |seen| follows(seen).users_missing = not(),
    ),
    (
        "G133",
        |seen| value(&mut seen.target.rights).retain(|one| *one != Operation::Alter),
        |seen| seen.target.rights = not(),
    ),
    (
        "G201",
        |seen| seen.metrics.replicator_failure = Known::seen(1),
        |seen| seen.metrics.replicator_failure = not(),
    ),
    (
        "G202",
        |seen| seen.metrics.offset_sync_failure = Known::seen(2),
        |seen| seen.metrics.offset_sync_failure = not(),
    ),
    (
        "G203",
        |seen| seen.metrics.target_ping = Known::seen(0),
        |seen| seen.metrics.source_ping = not(),
    ),
    (
        "G204",
        |seen| seen.metrics.message_lag = Known::seen(1000),
        |seen| seen.metrics.message_lag = not(),
    ),
    (
        "G205",
        |seen| seen.metrics.replication_latency = Known::seen(Latency::Behind(90_000)),
        |seen| seen.metrics.replication_latency = Known::seen(Latency::Behind(89_000)),
    ),
    (
        "G206",
        |seen| seen.metrics.target_offset_lag = Known::seen(5000),
        |seen| seen.metrics.target_offset_lag = not(),
    ),
    (
        "G207",
        |seen| value(&mut seen.metrics.groups).present.clear(),
        |seen| value(&mut seen.target_groups).complete = false,
    ),
    (
        "G211",
        |seen| value(&mut seen.engine).stopped = vec![stopped()],
        |seen| seen.engine = not(),
    ),
    (
        "G212",
        |seen| seen.asked.two_way = false,
        |seen| seen.reverse = not(),
    ),
    (
        "G213",
        |seen| {
            value(&mut first(seen).source_settings).compacts = true;
            first(seen).foreign_writes = Known::seen(vec![0]);
        },
        |seen| {
            value(&mut first(seen).source_settings).compacts = true;
            first(seen).foreign_writes = not();
        },
    ),
    (
        "G214",
        |seen| {
            first(seen).partitions[0].first = Some(50);
            value(&mut seen.source_groups).groups[0].committed =
                [(TopicPartition::new("orders", 0), 20)].into();
        },
        |seen| first(seen).partitions[0].first = None,
    ),
    (
        "G215",
        |seen| value(&mut seen.source_groups).groups[0].subscribed = Some(vec!["payments".into()]),
        |seen| value(&mut seen.source_groups).groups[0].subscribed = None,
    ),
    (
        "G217",
        |seen| {
            first(seen).partitions[0].copied = Some(90);
            first(seen).partitions[0].next_ms = Some(seen.at_ms - 604_790_000);
        },
        |seen| first(seen).partitions[0].copied = Some(90),
    ),
    (
        "G218",
        |seen| {
            value(&mut first(seen).source_settings).compacts = true;
            first(seen).partitions[0].copied = Some(90);
            first(seen).partitions[0].next_ms = Some(seen.at_ms - 43_300_000);
        },
        |seen| {
            value(&mut first(seen).source_settings).compacts = true;
            first(seen).partitions[0].copied = Some(90);
        },
    ),
    (
        "G219",
        |seen| {
            value(&mut first(seen).target)
                .as_mut()
                .unwrap()
                .least_in_sync = 1
        },
        |seen| first(seen).target_settings = not(),
    ),
    (
        "G220",
        |seen| value(&mut first(seen).target_settings).max_message_bytes = Some(1000),
        |seen| first(seen).source_settings = not(),
    ),
    (
        "G301",
        |seen| value(&mut aws(seen).caller).account = "210987654321".into(),
        |seen| aws(seen).caller = not(),
    ),
    (
        "G302",
        |seen| value(&mut aws(seen).cluster).iam = false,
        |seen| aws(seen).cluster = not(),
    ),
    (
        "G303",
        |seen| value(&mut aws(seen).broken).push("forward: KafkaClusters: exactly 2".into()),
        |seen| aws(seen).broken = not(),
    ),
    (
        "G304",
        |seen| {
            value(&mut aws(seen).replicators)
                .forward
                .as_mut()
                .unwrap()
                .is_ours = false
        },
        |seen| aws(seen).replicators = not(),
    ),
    ("G305", |_| (), |seen| aws(seen).replicators = not()),
    (
        "G306",
        |seen| {
            let topic = first(seen).clone();
            *value(&mut seen.topics) = vec![topic; 751];
        },
        |seen| seen.topics = not(),
    ),
    (
        "G307",
        |seen| {
            let now = seen.at_ms;
            value(&mut first(seen).target_settings).before_max_ms = Some(86_400_000);
            value(&mut first(seen).sample).oldest = Some((batch(), now - 86_500_000));
        },
        |seen| first(seen).sample = not(),
    ),
    (
        "G308",
        |seen| value(&mut aws(seen).listener).cluster.trouble = trouble(),
        |seen| aws(seen).listener = not(),
    ),
    (
        "G309",
        |seen| {
            value(&mut value(&mut aws(seen).listener).topic_rights)[0].1 = Some(Operations::new())
        },
        |seen| value(&mut aws(seen).listener).topic_rights = not(),
    ),
    (
        "G310",
        |seen| value(&mut aws(seen).listener).cluster.id = Some("Ccc".into()),
        |seen| value(&mut aws(seen).listener).cluster.id = None,
    ),
    (
        "G311",
        |seen| value(&mut aws(seen).secrets)[0].trouble = Some("it is not ours".into()),
        |seen| aws(seen).secrets = not(),
    ),
    (
        "G312",
        |seen| aws(seen).log_group = Known::seen(Some(false)),
        |seen| aws(seen).log_group = not(),
    ),
    (
        "G313",
        |seen| {
            let now = seen.at_ms;
            let sample = value(&mut first(seen).sample);
            (sample.bytes, sample.records, sample.offsets) = (1_000_000, 1000, 100_000_000);
            sample.oldest = Some((batch(), now - 3_600_000));
            sample.latest = Some((batch(), now));
        },
        |seen| first(seen).sample = not(),
    ),
    (
        "G314",
        |seen| value(&mut aws(seen).from_subnets).trouble = vec!["kafka1:9096: timed out".into()],
        |seen| aws(seen).from_subnets = not(),
    ),
    ("G315", |_| (), |_| ()),
    ("G316", |_| (), |seen| first(seen).sample = not()),
    (
        "G317",
        |seen| value(&mut aws(seen).replicators).reverse = None,
        |seen| aws(seen).replicators = not(),
    ),
    (
        "G318",
        |seen| waits(seen, 2001, 0),
        |seen| seen.metrics.waiting = not(),
    ),
    (
        "G319",
        |seen| waits(seen, 1, 90_001),
        |seen| seen.metrics.waiting = not(),
    ),
    (
        "G320",
        |seen| seen.metrics.auth_errors = Known::seen(1),
        |seen| seen.metrics.auth_errors = not(),
    ),
];

pub(super) fn stopped() -> StoppedSeen {
    StoppedSeen {
        topic: "orders".into(),
        partition: 0,
        code: "K5xx".into(),
        reason: "the source begins at 40".into(),
    }
}

pub(super) fn verdict(code: &str, change: Option<Change>) -> Verdict {
    let mut seen = example::green();
    if let Some(change) = change {
        change(&mut seen);
    }
    find(code)
        .expect("it is in the table")
        .verdict(&seen, &Limits::default(), &[])
}
