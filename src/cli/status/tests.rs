//! What a person and a program read of a status.

use super::*;
use crate::{
    engine::status::{
        Decided, HeldStatus, OpenTransaction, SeamStatus, SteeredStatus, StoppedPartition,
        TopicStatus, TrimmedStatus,
    },
    events::Choice,
};

fn status() -> Seen {
    let topic = |topic: &str, stopped, copied, end, lag| TopicStatus {
        topic: topic.into(),
        partitions: 6,
        stopped,
        copied,
        end,
        lag,
    };
    Seen {
        v: 1,
        migration: "orders".into(),
        source_cluster: "Aaa".into(),
        target_cluster: "Bbb".into(),
        engine: EngineState::Running,
        owner: Some("host-7, process 4711, kafka-migrate 0.1.0".into()),
        last_heartbeat_ms: Some(1_769_868_120_000),
        topics: vec![
            topic("orders", 1, 1_840_000, 2_100_000, 260_000),
            topic("payments", 0, 12, 12, 0),
        ],
        stopped: vec![StoppedPartition {
            topic: "orders".into(),
            partition: 3,
            code: "K501".into(),
            reason: "the source begins at 40".into(),
            source_offset: 12,
            goes_on_at: Some(40),
            since_ms: 1_769_868_000_000,
            choices: vec![Choice {
                does: "give up source offsets 12 to 39, and go on at 40".into(),
                command: Some("kafka-migrate replicate --accept-gap orders:3@12".into()),
            }],
        }],
        decided: vec![Decided {
            topic: "payments".into(),
            partition: 1,
            code: "K501".into(),
            decision: "source offsets 3 to 7 were given up".into(),
            from: 3,
            to: Some(8),
            by: "ann on ferry".into(),
            at_ms: 1_769_868_000_000,
        }],
        trimmed: vec![TrimmedStatus {
            topic: "sums-by-city-repartition".into(),
            partition: 4,
            group: "sums".into(),
            offsets: 2_340,
            times: 2,
            from: 1_200,
            to: 2_400,
            at_ms: 1_769_868_000_000,
        }],
        seams: vec![SeamStatus {
            topic: "orders".into(),
            partition: 4,
            kept_from: 20,
            target_offset: 1_020,
            source_offset: 7,
        }],
        held: vec![HeldStatus {
            topic: "orders".into(),
            setting: "retention.ms".into(),
            held: "-1".into(),
            before: Some("604800000".into()),
            since_ms: 1_769_868_000_000,
        }],
        open_transactions: Some(vec![OpenTransaction {
            topic: "payments".into(),
            partition: 2,
            transactional_id: Some("billing-1".into()),
            producer_id: 4711,
            first_offset: 9,
            held_back: 120,
            since_ms: 1_769_868_000_000,
            timeout_ms: Some(60_000),
        }]),
        message_lag: Some(260_000),
        records_per_second: 96_204.0,
        bytes_per_second: 412e6,
        throttled_by: Some("the target throttles us (quota)".into()),
        pause: Some(SteeredStatus {
            what: "paused".into(),
            by: "ann on ferry".into(),
            at_ms: 1_769_868_000_000,
        }),
        limit: Some(SteeredStatus {
            what: "at most 20.0 kB/s".into(),
            by: "bob on quay".into(),
            at_ms: 1_769_868_000_000,
        }),
        batches: Batches::default(),
        way_back: None,
        sync: None,
        groups: None,
    }
}

#[test]
fn a_status_reads_well() {
    insta::assert_snapshot!(text(&status(), 1_769_868_122_100), @r#"
orders   engine: running   source Aaa → target Bbb
owner      host-7, process 4711, kafka-migrate 0.1.0
heartbeat  2026-01-31T14:02:00.000Z by the engine's clock; 2.1s ago, if this machine's clock agrees
lag        260,000 offsets in all
speed      412 MB/s  96.2k rec/s, as the engine last said
slowed     on purpose: the target throttles us (quota)
request    paused by ann on ferry since 2026-01-31T14:00:00.000Z, whoever runs, until `kafka-migrate resume`
request    at most 20.0 kB/s by bob on quay since 2026-01-31T14:00:00.000Z, whoever runs, until `kafka-migrate throttle default`

topic     partitions  stopped  copied to  source end      lag
orders             6        1  1,840,000   2,100,000  260,000
payments           6        0         12          12        0

1 partition stopped; nothing is skipped unless you say so
partition  code  from offset  since                     what happened
orders-3   K501           12  2026-01-31T14:00:00.000Z  the source begins at 40

ways on for orders-3
  give up source offsets 12 to 39, and go on at 40
    kafka-migrate replicate --accept-gap orders:3@12

kept on the target, in front of ours
partition  target offsets of before  ours from  source from
orders-4   20 to 1019                     1020            7

held on the target until nothing old is left to come, then put back
topic   setting       now     before  since
orders  retention.ms   -1  604800000  2026-01-31T14:00:00.000Z

1 transaction open on the source; what lies behind is copied once they end
partition   transactional id  producer  from offset  held back  open for
payments-2  billing-1             4711            9        120  2m 2s

read and deleted by its owner before it was copied, and no gap
partition                   owner  offsets  times  last          when
sums-by-city-repartition-4  sums     2,340      2  1200 to 2399  2026-01-31T14:00:00.000Z

what a person decided
partition   past  when                      who           what
payments-1  K501  2026-01-31T14:00:00.000Z  ann on ferry  source offsets 3 to 7 were given up
"#);
}

#[test]
fn a_heartbeat_of_the_future_is_no_age() {
    assert_eq!(
        heartbeat(2000, 1000),
        "1970-01-01T00:00:02.000Z by the engine's clock, which is ahead of this machine's"
    );
}

#[test]
fn what_comes_next_depends_on_what_is() {
    let of = |engine, lag, stopped: bool| {
        let mut status = status();
        status.engine = engine;
        status.message_lag = lag;
        if !stopped {
            status.stopped.clear();
        }
        next(&status)
    };
    assert_eq!(
        of(EngineState::NeverStarted, Some(9), false),
        "kafka-migrate replicate"
    );
    assert_eq!(
        of(EngineState::Stopped, Some(9), false),
        "kafka-migrate replicate"
    );
    assert_eq!(
        of(EngineState::Silent, Some(0), false),
        "kafka-migrate replicate"
    );
    assert_eq!(
        of(EngineState::Stopped, Some(0), false),
        "kafka-migrate verify"
    );
    assert_eq!(
        of(EngineState::Running, Some(0), false),
        "kafka-migrate verify"
    );
    assert_eq!(
        of(EngineState::Running, Some(9), false),
        "kafka-migrate status"
    );
    assert_eq!(
        of(EngineState::Running, None, false),
        "kafka-migrate status"
    );
    assert_eq!(
        of(EngineState::Stopped, Some(0), true),
        "kafka-migrate replicate"
    );
}

#[test]
fn the_document_is_the_status_with_its_time() {
    let looked = Looked {
        status: status(),
        journal: Journal::of(Ok(crate::run::state::State::default()), &[]),
        at_ms: 0,
    };
    let document = Document::of(&looked);
    let value = serde_json::to_value(&document).expect("it is JSON");
    assert_eq!(value["v"], 1);
    assert_eq!(value["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(value["migration"], "orders");
    assert_eq!(value["engine"], "running");
    assert_eq!(value["message_lag"], 260_000);
}
