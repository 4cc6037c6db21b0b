//! Whatever is taken in, and however it is cut: every record once, in order, and every sequence names its source offset.

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};
use uuid::Uuid;

use super::*;
use crate::{
    engine::{
        ledger::{epochs::Epochs, record::At},
        pipeline::partition::{Fate, Settled},
        pipeline::warmth::Warmth,
        recover::Position,
    },
    model::names::TopicPartition,
    wire::{
        batch::split,
        codec::tests::ALL,
        record::{
            Record, Records,
            tests::{encode_from, record},
        },
    },
};

const WRITER: Writer = Writer {
    number: 4,
    producer_id: 77,
    producer_epoch: 5,
    mark: 9,
};

fn partition(from: i64, sequence: u64) -> Partition {
    let at = At {
        topic: 0,
        partition: 0,
    };
    let mut partition = Partition::new(TopicPartition::new("orders", 0), at, Uuid::nil());
    let position = Position {
        source: from,
        target: 500,
        source_epoch: -1,
        target_runs: Vec::new(),
        over: Vec::new(),
    };
    partition.begin(position, sequence);
    partition
}

fn take(partition: &mut Partition, batches: &[Batch], entries: &mut Vec<Entry>) -> Dropped {
    let bytes: Vec<u8> = batches
        .iter()
        .flat_map(|batch| batch.bytes.to_vec())
        .collect();
    let held = Arc::new(Held::nothing());
    let judge = Judge::default();
    let taken = take_in(
        partition,
        Bytes::from(bytes).into(),
        Vec::new(),
        &held,
        &judge,
        WRITER,
        entries,
    );
    taken.expect("it can travel").dropped
}

/// One batch after the other, with holes between records, some compressed, some stamped by a broker, some without records.
fn log(kinds: Vec<(Vec<Record>, usize, u8)>) -> Vec<Batch> {
    let mut next = 1000;
    let batch = |(mut records, codec, kind): (Vec<Record>, usize, u8)| {
        if kind == 3 {
            // As a client writes it.
            records.iter_mut().for_each(|record| record.offset = 1);
        }
        let base = next;
        next -= 1;
        for record in &mut records {
            next += record.offset;
            record.offset = next;
        }
        next += 1;
        let first = if kind == 3 { records[0].offset } else { base };
        if kind == 0 {
            records.clear();
        }
        let last = next - 1 - first;
        encode_from((first, 77), &records, ALL[codec], |header| {
            header.last_offset_delta = last as i32;
            header.attributes |= if kind == 1 { 8 } else { 0 };
            header.leader_epoch = 3;
        })
    };
    kinds.into_iter().map(batch).collect()
}

fn naive(batches: &[Batch], from: i64) -> Vec<Record> {
    let records = batches.iter().flat_map(|batch| {
        Records::of(batch, 1 << 24)
            .expect("readable")
            .map(|record| record.expect("readable"))
    });
    records.filter(|record| record.offset >= from).collect()
}

/// What the ledger says of a sequence.
fn source_of(entries: &[Entry], sequence: u64) -> i64 {
    let runs = entries.iter().rev().filter_map(|entry| match entry {
        Entry::Run { run, .. } => Some(run),
        _ => None,
    });
    let run = runs
        .filter(|run| run.sequence <= sequence)
        .max_by_key(|run| run.sequence)
        .expect("a run");
    run.offset + (sequence - run.sequence) as i64
}

/// The records that wait, each with the source offset that the ledger has for it.
fn waiting(partition: &Partition, entries: &[Entry]) -> Vec<Record> {
    let mut found = Vec::new();
    let mut next = None;
    let mut below = 0;
    for item in &partition.queue {
        assert_eq!(*next.get_or_insert(item.sequence), item.sequence);
        next = Some(item.sequence + u64::from(item.count));
        let batch = split(item.batch.bytes())
            .next()
            .expect("one")
            .expect("well formed");
        batch.verify().expect("its CRC is right");
        assert_eq!(batch.header.base_sequence, wire_sequence(item.sequence));
        assert_eq!(batch.header.record_count, item.count.cast_signed());
        for (index, record) in (0u32..).zip(naive(&[batch], 0)) {
            let offset = source_of(entries, item.sequence + u64::from(index));
            assert_eq!(offset, item.origin.offset(index));
            assert!((below..item.source_next).contains(&offset));
            found.push(Record { offset, ..record });
        }
        below = item.source_next;
    }
    found
}

/// With one codec for all of them tiny batches are merged.
fn kinds() -> impl Strategy<Value = Vec<(Vec<Record>, usize, u8)>> {
    let records = proptest::collection::vec(record(), 1..12);
    let batches = proptest::collection::vec((records, 0usize..5, 0u8..5), 1..12);
    let codec = proptest::option::of(0usize..5);
    (batches, codec).prop_map(|(mut batches, of_all)| {
        for (_, codec, kind) in &mut batches {
            *codec = of_all.unwrap_or(*codec);
            if of_all.is_some() && *kind == 1 {
                *kind = 2;
            }
        }
        batches
    })
}

proptest! {
    #[test]
    fn every_record_waits_once_under_its_sequence(
        kinds in kinds(), from: Index, again: Index, largest in prop_oneof![Just(usize::MAX), 100usize..600],
        sequence in prop_oneof![Just(0u64), Just((1 << 31) - 3)], forced in proptest::option::of(0usize..5),
    ) {
        let batches = log(kinds);
        let (first, last) = (&batches[0].header, &batches[batches.len() - 1].header);
        let end = last.next_offset();
        let from = first.base_offset + from.index((end - first.base_offset) as usize) as i64;
        let mut partition = partition(from, sequence);
        partition.largest = largest;
        partition.codec = forced.map(|codec| ALL[codec]);
        let mut entries = Vec::new();
        take(&mut partition, &batches, &mut entries);
        prop_assert_eq!(partition.fetch_offset, end);
        let expected = naive(&batches, from);
        prop_assert_eq!(&waiting(&partition, &entries), &expected);
        for item in &partition.queue {
            let codec = BatchHeader::decode(&item.batch.head).expect("a header").codec();
            prop_assert!(forced.is_none_or(|forced| usize::from(codec) == forced));
        }
        prop_assert_eq!(partition.next_sequence, sequence + expected.len() as u64);

        // Taken in again from anywhere, in the middle of a batch too, as after unsent ones were given up.
        if !partition.queue.is_empty() {
            partition.highest_sent = partition.queue[again.index(partition.queue.len())].sequence;
            partition.drop_unsent();
            let from = partition.fetch_offset;
            let behind = batches.iter().filter(|batch| batch.header.next_offset() > from);
            take(&mut partition, &behind.cloned().collect::<Vec<_>>(), &mut entries);
            prop_assert_eq!(waiting(&partition, &entries), expected);
        }
    }

    #[test]
    fn a_batch_that_is_cut_says_the_same(kinds in kinds(), largest in 80usize..400) {
        let batches = log(kinds);
        let mut partition = partition(1000, 40);
        let mut entries = Vec::new();
        take(&mut partition, &batches, &mut entries);
        let before = waiting(&partition, &entries);
        let position = |partition: &Partition| {
            let last = partition.queue.back();
            last.map(|item| (item.source_next, item.leader_epoch, item.mark))
        };
        let stood = position(&partition);
        let queue = std::mem::take(&mut partition.queue);
        for item in queue {
            match cut(&item, largest) {
                Some(items) => {
                    prop_assert!(items.len() > 1);
                    partition.queue.extend(items);
                }
                None => partition.queue.push_back(item),
            }
        }
        for item in &partition.queue {
            prop_assert!(item.batch.len() <= largest || item.count == 1);
        }
        prop_assert_eq!(waiting(&partition, &entries), before);
        prop_assert_eq!(position(&partition), stood);
    }
}

/// A partition with batches of ten records, the first of which is sent and answered.
fn refused(code: i16, records: usize) -> (Partition, Vec<Record>, Vec<Entry>) {
    let records: Vec<Record> = (0..records as i64)
        .map(|at| Record {
            offset: at,
            timestamp: 1_000,
            key: None,
            value: Some(vec![b'v'; 100].into()),
            headers: vec![],
        })
        .collect();
    let batches: Vec<Batch> = records
        .chunks(10)
        .map(|records| encode_from((records[0].offset, 1_000), records, ALL[0], |_| ()))
        .collect();
    let mut partition = partition(0, 0);
    let mut entries = Vec::new();
    take(&mut partition, &batches, &mut entries);
    partition.take_next(-1).expect("something waits");
    partition.answered(0, Fate::Forbidden(code, None));
    (partition, records, entries)
}

const WARMTH: Warmth = Warmth::window(std::time::Duration::from_secs(10));

#[test]
fn a_batch_refused_as_too_large_waits_in_pieces_and_those_behind_it_too() {
    let (mut partition, records, entries) = refused(10, 30);
    let sent = partition.in_flight[0].0.batch.len();
    assert_eq!(partition.settle(1_000, WARMTH), Settled::Smaller);
    assert!(partition.in_flight.is_empty() && partition.queue.len() >= 6);
    assert!(
        partition
            .queue
            .iter()
            .all(|item| item.batch.len() <= sent / 2)
    );
    let bytes: usize = partition.queue.iter().map(|item| item.batch.len()).sum();
    assert_eq!(partition.buffered, bytes);
    assert_eq!(waiting(&partition, &entries), records);
    // What is given up begins behind what was sent, not behind its first piece.
    partition.drop_unsent();
    assert_eq!(partition.next_sequence, 10);
}

#[test]
fn a_batch_is_not_cut_while_a_copy_of_it_may_be_under_way() {
    let (mut partition, _, _) = refused(10, 10);
    partition.dirty = true;
    assert!(matches!(partition.settle(1_000, WARMTH), Settled::Fence(_)));
}

#[test]
fn one_record_that_is_too_large_stops_the_partition_and_so_does_another_refusal() {
    let (mut partition, _, _) = refused(10, 1);
    assert_eq!(
        partition.settle(1_000, WARMTH),
        Settled::Forbidden(10, None)
    );
    let (mut partition, _, _) = refused(87, 10);
    assert_eq!(
        partition.settle(1_000, WARMTH),
        Settled::Forbidden(87, None)
    );
}

/// What the ledger makes of what it was told.
fn told(entries: &[Entry]) -> Epochs {
    let mut epochs = Epochs::default();
    for entry in entries {
        if let Entry::Epoch { epoch, .. } = entry {
            epochs.push(*epoch);
        }
    }
    epochs
}

#[test]
fn under_which_leader_epoch_it_was_read_is_told_and_taken_back_where_it_is_given_up() {
    let batches = |epochs: [i32; 3]| -> Vec<Batch> {
        let batch = |(base, epoch): (i64, i32)| {
            let records: Vec<Record> = (base..base + 10)
                .map(|offset| Record {
                    offset,
                    timestamp: 1_000,
                    key: None,
                    value: Some(vec![b'v'; 20_000].into()),
                    headers: vec![],
                })
                .collect();
            encode_from((base, 1_000), &records, ALL[0], |header| {
                header.leader_epoch = epoch;
            })
        };
        [0, 10, 20].into_iter().zip(epochs).map(batch).collect()
    };
    let mut partition = partition(0, 0);
    let mut entries = Vec::new();
    take(&mut partition, &batches([4, 4, 6]), &mut entries);
    assert_eq!(told(&entries), [(4, 0), (6, 20)].into_iter().collect());
    // Nothing new is nothing to tell, and what is told is waited for.
    assert!(partition.queue.iter().all(|item| item.mark == WRITER.mark));
    let before = entries.len();
    take(&mut partition, &[], &mut entries);
    assert_eq!(entries.len(), before);
    // The source lost what was read last and not copied.
    partition.take_next(-1).expect("something waits");
    partition.drop_unsent();
    take(&mut partition, &batches([4, 4, 4])[1..], &mut entries);
    assert_eq!(partition.epochs, [(4, 0)].into_iter().collect());
    assert_eq!(told(&entries), partition.epochs);
    // Nothing of it was copied.
    partition.highest_sent = 0;
    partition.in_flight.clear();
    partition.drop_unsent();
    take(&mut partition, &batches([5, 7, 7]), &mut entries);
    assert_eq!(told(&entries), [(5, 0), (7, 10)].into_iter().collect());
    assert_eq!(told(&entries), partition.epochs);
}

#[test]
fn a_refused_batch_of_several_is_fetched_again_to_go_one_by_one() {
    let (batches, mut entries) = (tiny_batches(10, 0), Vec::new());
    let mut refused = |dirty| {
        let mut partition = partition(0, 0);
        take(&mut partition, &batches[..6], &mut entries);
        assert_eq!(partition.queue.len(), 1, "they are merged");
        partition.take_next(-1).expect("something waits");
        partition.dirty = dirty;
        partition.answered(0, Fate::Forbidden(87, None));
        let settled = partition.settle(1_000, WARMTH);
        (partition, settled)
    };
    // Not while a copy of it may be under way.
    assert_eq!(refused(true).1, Settled::Forbidden(87, None));
    let (mut partition, settled) = refused(false);
    assert_eq!(settled, Settled::Apart);
    assert!(partition.is_idle() && partition.buffered == 0);
    assert_eq!(partition.fetch_offset, 0);
    take(&mut partition, &batches, &mut entries);
    let firsts: Vec<u64> = partition.queue.iter().map(|item| item.sequence).collect();
    assert_eq!(firsts, [0, 10, 20, 30, 40, 50, 60], "behind them as before");
    assert_eq!(waiting(&partition, &entries), naive(&batches, 0));
    partition.take_next(-1).expect("something waits");
    partition.answered(0, Fate::Forbidden(87, None));
    let settled = partition.settle(1_000, WARMTH);
    assert_eq!(settled, Settled::Forbidden(87, None), "that one alone");
}

/// Small batches of ten records.
fn tiny_batches(count: i64, codec: usize) -> Vec<Batch> {
    let batch = |batch: i64| {
        let records: Vec<Record> = (0..10)
            .map(|index| Record {
                offset: batch * 10 + index,
                timestamp: 1_000 + batch,
                key: Some(format!("key {index}").into()),
                value: Some(format!("{:0100}", batch * 10 + index).into()),
                headers: vec![],
            })
            .collect();
        let first = (records[0].offset, records[0].timestamp);
        encode_from(first, &records, ALL[codec], |_| ())
    };
    (0..count).map(batch).collect()
}

#[test]
fn tiny_batches_that_wait_are_merged_and_a_few_are_not() {
    for codec in 0..5 {
        let batches = tiny_batches(200, codec);
        let mut partition = partition(0, 0);
        let mut entries = Vec::new();
        take(&mut partition, &batches, &mut entries);
        assert!(
            partition.queue.len() <= 4,
            "{} batches",
            partition.queue.len()
        );
        let is_run = |entry: &&Entry| matches!(entry, Entry::Run { .. });
        assert_eq!(entries.iter().filter(is_run).count(), 1);
        assert_eq!(waiting(&partition, &entries), naive(&batches, 0));
        // Never beyond what the target takes.
        partition = self::partition(0, 0);
        partition.largest = 3_000;
        take(&mut partition, &batches, &mut entries);
        assert!(partition.queue.iter().all(|item| item.batch.len() <= 3_000));

        let mut partition = self::partition(0, 0);
        take(&mut partition, &batches[..3], &mut Vec::new());
        let sent: Vec<_> = partition
            .queue
            .iter()
            .map(|item| &item.batch.body.here[..])
            .collect();
        let as_they_came: Vec<_> = batches[..3]
            .iter()
            .map(|batch| &batch.bytes[61..])
            .collect();
        assert_eq!(sent, as_they_came);
    }
}

#[test]
fn a_damaged_batch_among_tiny_ones_stays_recognisable_and_the_others_whole() {
    let mut batches = tiny_batches(8, 0);
    let mut bytes = batches[5].bytes.to_vec();
    bytes[100] ^= 1;
    batches[5].bytes = bytes.into();
    let mut partition = partition(0, 0);
    take(&mut partition, &batches, &mut Vec::new());
    let intact: Vec<bool> = partition
        .queue
        .iter()
        .map(|item| item.batch.is_intact())
        .collect();
    let expected: Vec<bool> = (0..8).map(|index| index != 5).collect();
    assert_eq!(intact, expected);
}
