//! Observations in which all is well, for tests of gates.

use super::*;
use crate::{
    cluster::{Everyone, Operation, Operations, Probe, Quotas},
    engine::{status::EngineState, sync::look::RulesSeen},
    model::names::TopicPartition,
    msk::{Described, Lifecycle, ManagedCluster},
};

/// Two topics, one group and one application, all copied and all healthy.
pub fn green() -> Observation {
    let patterns = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Patterns::of(&texts).expect("they are globs")
    };
    let groups = GroupsSeen {
        complete: true,
        denied: Vec::new(),
        groups: vec![GroupSeen {
            name: "order-status".into(),
            state: "Stable".into(),
            members: 1,
            subscribed: Some(vec!["orders".into()]),
            committed: [(TopicPartition::new("orders", 0), 100)].into(),
            ..GroupSeen::default()
        }],
    };
    let mut seen = Observation {
        v: VERSION,
        at_ms: 1_769_868_122_100,
        migration: "orders".into(),
        asked: Asked {
            backend: Backend::Embedded,
            two_way: true,
            groups: patterns(&["*"]),
            replication_factor: None,
            bytes_per_second: Some(100_000_000),
            most_topics: None,
            application: None,
        },
        source: cluster("Aaa"),
        target: cluster("Bbb"),
        topics: Known::seen(vec![topic("orders"), topic("order_status")]),
        missing_topics: Vec::new(),
        topics_outside: vec!["payments".into()],
        engine: Known::seen(engine()),
        reverse: Known::seen(engine()),
        source_groups: Known::seen(groups.clone()),
        target_groups: Known::seen(groups),
        applications: vec![Application {
            name: "order-status".into(),
            reads: patterns(&["orders"]),
            writes: patterns(&["order_status"]),
            groups: patterns(&["order-status"]),
            ..Application::default()
        }],
        others: Known::seen(Vec::new()),
        engine_rights: rights("kafka-migrate.orders.forward"),
        follows: Some(Box::new(FollowsSeen {
            settings: Some(Known::seen(Vec::new())),
            acls: Some(Known::seen(AclsSeen::Planned(RulesSeen::default()))),
            users_missing: Known::seen(Vec::new()),
        })),
        back: Some(Box::new(BackSeen {
            rights: rights("kafka-migrate.orders.reverse"),
            fidelity: as_written(),
            denied: Known::seen(Vec::new()),
        })),
        commits_denied: Known::seen(Vec::new()),
        amazon: Some(Box::new(amazon())),
        fidelity: as_written(),
        metrics: Metrics {
            replicator_failure: Known::seen(0),
            offset_sync_failure: Known::seen(0),
            source_ping: Known::seen(1),
            target_ping: Known::seen(1),
            message_lag: Known::seen(0),
            auth_errors: Known::seen(0),
            groups_carried: Known::seen(2),
            waiting: Known::seen(Vec::new()),
            replication_latency: Known::seen(Latency::AtMost(4000)),
            source_offset_lag: Known::seen(0),
            target_offset_lag: Known::seen(0),
            groups: Known::seen(GroupCount::default()),
        },
        trend: Trend {
            observations: 3,
            watched_ms: 60_000,
            message_lag: vec![(60_000, 0), (30_000, 0), (0, 0)],
            source_offset_lag: vec![(60_000, 0), (30_000, 0), (0, 0)],
            target_offset_lag: vec![(60_000, 0), (30_000, 0), (0, 0)],
        },
    };
    groups::count(&mut seen);
    seen
}

fn rights(ledger: &str) -> EngineRights {
    EngineRights {
        ledger: ledger.into(),
        creation: Known::seen(None),
        write: Known::seen(Probe::Allowed),
        read: Known::seen(Probe::Allowed),
        delete: Known::seen(Probe::Allowed),
        operations: Known::seen(None),
        transactional_ids: format!("{ledger}."),
        transactions: Known::seen(Probe::Allowed),
    }
}

fn as_written() -> Known<Fidelity> {
    Known::seen(Fidelity::Tried {
        brokers: 3,
        batches: 15,
        changed: Vec::new(),
        left: None,
    })
}

fn engine() -> EngineSeen {
    EngineSeen {
        state: EngineState::Running,
        owner: Some("host-7".into()),
        message_lag: Some(0),
        stopped: Vec::new(),
        throttled_by: None,
        sync_failures: Some(0),
        open_transactions: Some(0),
    }
}

fn cluster(id: &str) -> ClusterSeen {
    let broker = |id: i32| BrokerSeen {
        id,
        address: format!("kafka{id}:9092"),
        trouble: None,
        round_trip_us: 400,
        certificate_ends: Some(1_769_868_122 + 400 * 86_400),
        lacks: Vec::new(),
        misses: Vec::new(),
    };
    ClusterSeen {
        id: Some(id.into()),
        trouble: None,
        user: None,
        mechanism: "none",
        bootstrap: vec!["kafka1:9092".into()],
        tls: true,
        brokers: Known::seen(vec![broker(1), broker(2), broker(3)]),
        clock: Known::seen(ClockSeen {
            ahead_ms: 3,
            within_ms: 1,
        }),
        rights: Known::seen(Operations::from([
            Operation::Describe,
            Operation::Create,
            Operation::Alter,
        ])),
        everyone: Known::seen(Everyone::Nothing),
        quotas: Known::seen(Quotas::default()),
        clients: Known::seen(
            (1..4)
                .map(|id| ClientSeen {
                    address: format!("kafka{id}:9092"),
                    trouble: None,
                })
                .collect(),
        ),
    }
}

fn topic(name: &str) -> TopicSeen {
    let side = TopicSide {
        partitions: 1,
        offline: 0,
        under_replicated: 0,
        least_in_sync: 3,
        replicas: 3,
    };
    let settings = TopicSettings {
        max_message_bytes: Some(1_048_588),
        deletes: true,
        retention_ms: Some(604_800_000),
        delete_retention_ms: Some(86_400_000),
        min_in_sync: Some(2),
        ..TopicSettings::default()
    };
    let batch = BatchSeen {
        partition: 0,
        offset: 0,
        bytes: 2000,
        records: 10,
    };
    let rights = || {
        Known::seen(Operations::from([
            Operation::Read,
            Operation::Write,
            Operation::Create,
            Operation::Delete,
            Operation::Alter,
            Operation::Describe,
            Operation::DescribeConfigs,
            Operation::AlterConfigs,
        ]))
    };
    TopicSeen {
        name: name.into(),
        source: side,
        target: Known::seen(Some(side)),
        source_settings: Known::seen(settings.clone()),
        target_settings: Known::seen(settings),
        partitions: vec![PartitionSeen {
            partition: 0,
            source_start: Some(0),
            source_stable: Some(100),
            source_end: Some(100),
            target_start: Some(0),
            target_end: Some(100),
            copied: Some(100),
            first: Some(0),
            next_ms: None,
        }],
        met: Known::seen(true),
        keeps_existing: false,
        foreign_writes: Known::seen(Vec::new()),
        sample: Known::seen(Sample {
            batches: 10,
            records: 100,
            bytes: 20_000,
            offsets: 100,
            largest: Some(batch),
            largest_single: None,
            oldest: Some((batch, 1_769_868_000_000)),
            latest: Some((batch, 1_769_868_100_000)),
            unkeyed: None,
            transactional: 0,
        }),
        source_rights: rights(),
        target_rights: TargetRights {
            operations: rights(),
            write: Known::seen(Probe::Allowed),
            read: Known::seen(Probe::Allowed),
            describe_configs: Known::seen(Probe::Allowed),
            alter_configs: Known::seen(Probe::Allowed),
            grow: Known::seen(Probe::Allowed),
        },
        objections: Known::seen(Vec::new()),
        creation: Known::seen(None),
    }
}

/// Amazon's side, with nothing made yet but what a user makes.
fn amazon() -> AmazonSeen {
    let replicator = |name: &str| ReplicatorSeen {
        described: Described {
            name: name.into(),
            lifecycle: Lifecycle::Running,
            sync_mode: "ENHANCED".into(),
            sync_offsets: true,
            ..Described::default()
        },
        is_ours: true,
        to_change: Vec::new(),
        cannot_change: Vec::new(),
    };
    let operations: Operations = [
        Operation::Read,
        Operation::Write,
        Operation::Create,
        Operation::Alter,
        Operation::Describe,
        Operation::ClusterAction,
        Operation::DescribeConfigs,
        Operation::AlterConfigs,
        Operation::IdempotentWrite,
    ]
    .into();
    let mut by_listener = cluster("Aaa");
    by_listener.rights = Known::seen(operations.clone());
    AmazonSeen {
        asked: AmazonAsked {
            region: "us-east-1".into(),
            account: "123456789012".into(),
            names: ["external-to-msk".into(), "msk-to-external".into()],
            role_arn: "arn:aws:iam::123456789012:role/MSKReplicatorRole".into(),
            user: "replicator".into(),
            from_earliest: true,
            ..AmazonAsked::default()
        },
        caller: Known::seen(CallerSeen {
            account: "123456789012".into(),
            arn: "arn:aws:iam::123456789012:user/ann".into(),
        }),
        cluster: Known::seen(ManagedCluster {
            name: "my-cluster".into(),
            kind: "PROVISIONED".into(),
            state: "ACTIVE".into(),
            version: "3.9.x".into(),
            brokers: 3,
            instance: "express.m7g.large".into(),
            subnets: ["subnet-1", "subnet-2", "subnet-3"]
                .map(String::from)
                .into(),
            security_groups: vec!["sg-1".into()],
            iam: true,
        }),
        listener: Known::seen(Box::new(ListenerSeen {
            cluster: by_listener,
            topic_rights: Known::seen(vec![("orders".into(), Some(operations))]),
            groups_denied: Known::seen(Vec::new()),
        })),
        broken: Known::seen(Vec::new()),
        replicators: Known::seen(ReplicatorsSeen {
            forward: Some(replicator("external-to-msk")),
            reverse: Some(replicator("msk-to-external")),
            all: 2,
        }),
        secrets: Known::seen(vec![SecretSeen {
            name: "kafka-migrate/orders/login".into(),
            is_kept_by_us: true,
            state: "to be made".into(),
            trouble: None,
        }]),
        log_group: Known::seen(Some(true)),
        from_subnets: Known::seen(Vantage {
            subnet: "subnet-1".into(),
            age_ms: 60_000,
            trouble: Vec::new(),
        }),
    }
}
