//! What a partition sends when: the depth, and what follows answers that are no success.

use std::time::Duration;

use super::{settling::OUT_OF_ORDER, *};
use crate::{
    engine::pipeline::{rewrite::Writer, warmth::Warmth},
    wire::{batch::Stamp, encode::batch_of_one},
};

const NOW: i64 = 1_000_000_000;
const WARM: i64 = NOW - 1_000;
const COLD: i64 = NOW - 100_000;
const WARMTH: Warmth = Warmth::window(Duration::from_secs(10));
const OK: fn(i64) -> Fate = Fate::Appended;

/// A copying partition with so many batches of one record taken in, and all flushes recorded.
const WRITER: Writer = Writer {
    number: 7,
    producer_id: 70,
    producer_epoch: 3,
    mark: 1,
};

fn partition(timestamps: &[i64]) -> Partition {
    let at = At {
        topic: 0,
        partition: 0,
    };
    let mut partition = Partition::new(TopicPartition::new("orders", 0), at, Uuid::nil());
    let position = Position {
        source: 100,
        target: 500,
        source_epoch: -1,
        target_runs: Vec::new(),
        over: Vec::new(),
    };
    partition.begin(position, 0);
    for (sequence, &max_timestamp) in (0..).zip(timestamps) {
        let stamp = Stamp {
            producer_id: 1,
            producer_epoch: 3,
            base_sequence: sequence,
        };
        let sequence = u64::try_from(sequence).expect("not negative");
        partition.push(Item {
            record_epoch: 0,
            sent_epoch: -1,
            batch: batch_of_one(&[sequence as u8], max_timestamp, stamp),
            sequence,
            count: 1,
            merged: false,
            origin: Origin::from(100 + sequence as i64),
            source_next: 101 + sequence as i64,
            max_timestamp,
            leader_epoch: 8,
            mark: 0,
            _held: Arc::new(Held::nothing()),
        });
    }
    partition
}

/// Sends as long as it may; answers how many batches went out.
fn send(partition: &mut Partition) -> usize {
    let mut sent = 0;
    while partition.may_send(Instant::now(), NOW, WARMTH, 0) {
        partition.hold_until = None;
        partition.take_next(-1).expect("it may be sent");
        sent += 1;
    }
    sent
}

fn answer(partition: &mut Partition, sequence: u64, fate: Fate) -> Settled {
    partition.answered(sequence, fate);
    partition.acknowledge(WRITER);
    partition.settle(NOW, WARMTH)
}

#[test]
fn the_first_batch_goes_alone_then_five() {
    let mut partition = partition(&[WARM; 9]);
    assert_eq!(send(&mut partition), 1);
    assert_eq!(answer(&mut partition, 0, OK(500)), Settled::Wait);
    assert_eq!(send(&mut partition), 5);
    assert_eq!(
        (partition.acknowledged, partition.source, partition.target),
        (1, 101, 501)
    );
}

#[test]
fn cold_batches_go_one_at_a_time() {
    let mut partition = partition(&[COLD; 4]);
    for sequence in 0..3 {
        assert_eq!(send(&mut partition), 1);
        answer(&mut partition, sequence, OK(500 + sequence as i64));
    }
}

#[test]
fn a_warm_batch_waits_for_a_cold_one_and_the_other_way_round() {
    for timestamps in [[WARM, COLD, WARM], [WARM, WARM, COLD]] {
        let mut partition = partition(&timestamps);
        send(&mut partition);
        answer(&mut partition, 0, OK(500));
        assert_eq!(send(&mut partition), 1, "{timestamps:?}");
    }
}

#[test]
fn a_batch_waits_for_the_flush_that_carries_its_run() {
    let mut partition = partition(&[WARM]);
    partition.queue[0].mark = 3;
    assert!(!partition.may_send(Instant::now(), NOW, WARMTH, 2));
    assert!(partition.may_send(Instant::now(), NOW, WARMTH, 3));
}

#[test]
fn after_a_refusal_everything_is_answered_before_the_same_goes_again_in_order() {
    let mut partition = partition(&[WARM; 4]);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    assert_eq!(send(&mut partition), 3);
    assert_eq!(answer(&mut partition, 1, Fate::Refused(6)), Settled::Wait);
    assert_eq!(send(&mut partition), 0, "two are still in flight");
    answer(&mut partition, 3, Fate::Identity(OUT_OF_ORDER));
    let settled = answer(&mut partition, 2, Fate::Identity(OUT_OF_ORDER));
    assert_eq!(settled, Settled::Again);
    assert!(!partition.dirty);
    let sequences: Vec<u64> = partition.queue.iter().map(|item| item.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
}

#[test]
fn an_unknown_outcome_makes_dirty_and_the_same_bytes_go_again() {
    let mut partition = partition(&[WARM; 2]);
    let sent = partition.queue[0].batch.body.here.clone();
    send(&mut partition);
    assert_eq!(answer(&mut partition, 0, Fate::Unknown), Settled::Again);
    assert!(partition.dirty);
    let again = &partition.queue[0].batch.body.here;
    assert_eq!(
        (again.as_ptr(), again.len()),
        (sent.as_ptr(), sent.len()),
        "not a copy, not fetched again"
    );
    assert_eq!(send(&mut partition), 1, "still alone");
    answer(&mut partition, 0, OK(500));
    assert!(partition.dirty, "for the rest of its life");
    assert!(!partition.needs_fence(NOW, WARMTH));
}

#[test]
fn an_unknown_outcome_of_cold_batches_needs_another_identity() {
    let mut partition = partition(&[COLD]);
    send(&mut partition);
    let settled = answer(&mut partition, 0, Fate::Unknown);
    assert!(matches!(settled, Settled::Fence(_)), "{settled:?}");
}

#[test]
fn a_cold_batch_after_an_unknown_outcome_needs_another_identity() {
    let mut partition = partition(&[WARM, COLD]);
    send(&mut partition);
    answer(&mut partition, 0, Fate::Unknown);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    assert!(partition.needs_fence(NOW, WARMTH));
}

#[test]
fn a_dirty_partition_that_grows_cold_needs_another_identity() {
    let mut partition = partition(&[WARM]);
    send(&mut partition);
    answer(&mut partition, 0, Fate::Unknown);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    assert!(!partition.needs_fence(NOW, WARMTH));
    assert!(partition.needs_fence(NOW + 10_000, WARMTH));
}

#[test]
fn a_sequence_that_is_not_expected_needs_another_identity() {
    let mut partition = partition(&[WARM; 2]);
    send(&mut partition);
    let settled = answer(&mut partition, 0, Fate::Identity(OUT_OF_ORDER));
    assert!(matches!(settled, Settled::Fence(_)), "{settled:?}");
}

#[test]
fn an_epoch_that_is_not_ours_says_more_than_a_refusal_before_it() {
    let mut partition = partition(&[WARM; 3]);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    send(&mut partition);
    answer(&mut partition, 1, Fate::Refused(6));
    let settled = answer(&mut partition, 2, Fate::Identity(47));
    assert!(matches!(settled, Settled::Fence(_)), "{settled:?}");
}

#[test]
fn a_batch_appended_behind_a_refused_one_is_a_broken_target_unless_a_copy_was_under_way() {
    for (dirty, expected) in [(false, false), (true, true)] {
        let mut partition = partition(&[WARM; 3]);
        send(&mut partition);
        answer(&mut partition, 0, OK(500));
        partition.dirty = dirty;
        send(&mut partition);
        answer(&mut partition, 1, Fate::Refused(19));
        let settled = answer(&mut partition, 2, OK(502));
        assert_eq!(settled == Settled::Again, expected, "{settled:?}");
        assert_eq!(
            matches!(settled, Settled::Broken(_)),
            !expected,
            "{settled:?}"
        );
        assert_eq!(partition.acknowledged, 1, "counted without gaps");
    }
}

#[test]
fn a_batch_that_is_never_taken_gives_everything_behind_it_up() {
    let mut partition = partition(&[WARM; 3]);
    send(&mut partition);
    let settled = answer(&mut partition, 0, Fate::Forbidden(10, None));
    assert_eq!(settled, Settled::Forbidden(10, None));
    assert!(partition.is_idle());
    assert_eq!((partition.source, partition.buffered), (100, 0));
}

#[test]
fn only_what_was_never_sent_is_given_up() {
    let mut partition = partition(&[WARM; 4]);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    partition.take_next(-1).expect("the second");
    answer(&mut partition, 1, Fate::Unknown);
    partition.drop_unsent();
    let sequences: Vec<u64> = partition.queue.iter().map(|item| item.sequence).collect();
    assert_eq!(sequences, [1]);
    assert_eq!((partition.next_sequence, partition.fetch_offset), (2, 102));
}

#[test]
fn offsets_that_hold_nothing_are_passed_with_the_batch_before_them() {
    let mut partition = partition(&[WARM]);
    partition.skip_to(110);
    assert_eq!(partition.source, 100);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    assert_eq!(partition.source, 110);
    partition.skip_to(120);
    assert_eq!(partition.source, 120);
}

#[test]
fn target_runs_are_told_where_others_wrote_in_between() {
    let mut partition = partition(&[WARM; 3]);
    for (sequence, offset) in [(0, 500), (1, 501), (2, 510)] {
        partition.take_next(-1).expect("one more");
        answer(&mut partition, sequence, OK(offset));
    }
    let runs: Vec<_> = partition
        .new_target_runs
        .iter()
        .map(|run| (run.identity, run.sequence, run.offset))
        .collect();
    assert_eq!(runs, [(7, 0, 500), (7, 2, 510)]);
}

#[test]
fn an_offset_below_what_was_acknowledged_is_another_log() {
    let mut partition = partition(&[WARM; 2]);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    send(&mut partition);
    let settled = answer(&mut partition, 1, OK(0));
    assert!(matches!(settled, Settled::Broken(_)), "{settled:?}");
    assert_eq!((partition.source, partition.target), (101, 501));
}

#[test]
fn the_epoch_of_what_was_passed_over_goes_with_the_offset() {
    let mut partition = partition(&[WARM; 2]);
    send(&mut partition);
    answer(&mut partition, 0, OK(500));
    assert_eq!(partition.source_epoch, 8);
    // A marker that a new leader appended, while the batch before it waits.
    partition.last_epoch = 9;
    partition.skip_to(110);
    send(&mut partition);
    answer(&mut partition, 1, OK(501));
    assert_eq!((partition.source, partition.source_epoch), (110, 9));
}

#[test]
fn a_batch_that_was_damaged_on_its_way_goes_again_and_one_that_is_damaged_stops() {
    let mut partition = partition(&[WARM, WARM]);
    assert_eq!(send(&mut partition), 1);
    let damaged = || Fate::Forbidden(CORRUPT, None);
    assert_eq!(answer(&mut partition, 0, damaged()), Settled::Again);
    assert_eq!(partition.queue.len(), 2, "what we hold is whole");

    assert_eq!(send(&mut partition), 1);
    let (item, _) = &mut partition.in_flight[0];
    item.batch.head[30] ^= 1;
    assert_eq!(
        answer(&mut partition, 0, damaged()),
        Settled::Forbidden(CORRUPT, None)
    );
    assert!(partition.is_idle());
    assert_eq!((partition.source, partition.buffered), (100, 0));
}
