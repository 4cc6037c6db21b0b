//! Whatever the batches: what a naive decoder reads from the new ones is what it reads from theirs.

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::wire::{
    batch,
    codec::tests::ALL,
    record::{
        Header, Record, Records,
        tests::{encode_from, record},
    },
};

const LIMIT: usize = 1 << 24;

fn stamp(base_sequence: i32) -> Stamp {
    Stamp {
        producer_id: 77,
        producer_epoch: 5,
        base_sequence,
    }
}

pub(super) fn wanted(base_sequence: i32, largest: usize, codec: Option<Codec>) -> Wanted {
    Wanted {
        stamp: stamp(base_sequence),
        largest,
        codec,
    }
}

fn naive(batch: &Batch) -> Vec<Record> {
    let records = Records::of(batch, LIMIT).expect("readable");
    records.collect::<Result<_, _>>().expect("readable")
}

/// A batch as a reader gets it.
fn sent(stamped: &Stamped) -> Batch {
    let mut batches = batch::split(stamped.bytes());
    let batch = batches.next().expect("a batch").expect("well formed");
    assert!(batches.next().is_none());
    batch.verify().expect("its CRC is right");
    batch
}

/// What was sent is dense, under the identity, of this codec, within the limit, and says the same as the source from `from` on.
fn check(source: &[Batch], from: i64, wanted: Wanted) {
    let expected: Vec<Record> = source
        .iter()
        .flat_map(naive)
        .filter(|record| record.offset >= from)
        .collect();
    let mut found = Vec::new();
    let mut sequence = wanted.stamp.base_sequence;
    let codec = wanted
        .codec
        .unwrap_or_else(|| Codec::of(source[0].header.attributes).expect("a codec"));
    for new in repack(source, from, wanted).expect("fit") {
        let batch = sent(&new.batch);
        let header = &batch.header;
        let records = naive(&batch);
        assert!(new.batch.len() <= wanted.largest || new.count == 1);
        assert!(new.count > 0 && header.record_count == new.count.cast_signed());
        assert_eq!(header.last_offset_delta + 1, header.record_count);
        assert_eq!((header.base_offset, header.leader_epoch), (0, -1));
        assert_eq!(header.attributes, codec.attributes());
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.base_sequence
            ),
            (77, 5, sequence)
        );
        let largest = records.iter().map(|record| record.timestamp).max();
        assert_eq!(Some(header.max_timestamp), largest);
        assert_eq!(Some(new.max_timestamp), largest);
        sequence = header.last_sequence().wrapping_add(1) & i32::MAX;
        let stretches: Vec<(u32, i64)> = new.origin.stretches().collect();
        let jumps = records.windows(2).enumerate().filter(|(index, _)| {
            new.origin.offset(*index as u32) + 1 != new.origin.offset(*index as u32 + 1)
        });
        assert_eq!(
            stretches.len(),
            1 + jumps.count(),
            "no more runs than holes"
        );
        for (index, record) in (0u32..).zip(records) {
            assert_eq!(record.offset, i64::from(index));
            let offset = new.origin.offset(index);
            assert_eq!(new.origin.part(index, 1), Origin::from(offset));
            found.push(Record { offset, ..record });
        }
    }
    assert_eq!(found, expected);
}

#[derive(Debug, Clone)]
struct Source {
    records: Vec<Record>,
    before: i64,
    behind: i32,
    base_timestamp: i64,
    codec: usize,
    is_stamped: bool,
    bits: i16,
}

fn source() -> impl Strategy<Value = Source> {
    (
        proptest::collection::vec(record(), 1..25),
        0i64..3,
        0i32..3,
        prop_oneof![Just(-1), -9_000i64..9_000],
        0usize..5,
        any::<bool>(),
        prop_oneof![Just(0i16), Just(0x10), Just(0x40), Just(0x50)],
    )
        .prop_map(
            |(records, before, behind, base_timestamp, codec, is_stamped, bits)| Source {
                records,
                before,
                behind,
                base_timestamp,
                codec,
                is_stamped,
                bits,
            },
        )
}

/// One behind the other, with holes before, within and behind.
fn batches(sources: Vec<Source>, of_one_kind: bool) -> Vec<Batch> {
    let mut next = 1 << 40;
    let (codec, is_stamped) = (sources[0].codec, sources[0].is_stamped);
    let batch = |mut source: Source| {
        if of_one_kind {
            (source.codec, source.is_stamped) = (codec, is_stamped);
        }
        let base = next;
        next += source.before - 1;
        for record in &mut source.records {
            next += record.offset;
            record.offset = next;
        }
        next += i64::from(source.behind) + 1;
        let first = (base, source.base_timestamp);
        encode_from(first, &source.records, ALL[source.codec], |header| {
            header.last_offset_delta += source.behind;
            header.attributes |= source.bits | i16::from(source.is_stamped) << 3;
            header.leader_epoch = 9;
            (header.producer_id, header.base_sequence) = (3, 17);
        })
    };
    sources.into_iter().map(batch).collect()
}

proptest! {
    #[test]
    fn records_are_the_same(
        sources in proptest::collection::vec(source(), 1..4), of_one_kind: bool, from: Index, some_deleted: bool,
        largest in prop_oneof![Just(usize::MAX), 0usize..2_000], forced in proptest::option::of(0usize..5),
        sequence in prop_oneof![0i32..1_000, Just(i32::MAX - 3), Just(i32::MAX)],
    ) {
        let source = batches(sources, of_one_kind);
        let start = source[0].header.base_offset;
        let length = source.last().expect("one").header.next_offset() - start;
        let from = if some_deleted { start + from.index(length as usize + 1) as i64 } else { 0 };
        check(&source, from, wanted(sequence, largest, forced.map(|codec| ALL[codec])));
    }

    #[test]
    fn damage_is_seen(source in source(), at: Index, bit in 0u8..8) {
        let mut batch = batches(vec![source], true).remove(0);
        let mut bytes = batch.bytes.to_vec();
        let at = 61 + at.index(bytes.len() - 61);
        bytes[at] ^= 1 << bit;
        batch.bytes = bytes.into();
        let result = repack(&[batch], 0, wanted(0, usize::MAX, None));
        prop_assert!(matches!(result, Err(Unfit::Damaged(_))));
    }

    #[test]
    fn arbitrary_records_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300), attributes in 0i16..16, count in 0i32..40, last in 0i32..60,
        base: i64, largest in 0usize..400,
    ) {
        let plain = encode_from((base.max(0) >> 1, base), &[], Codec::None, |header| {
            header.attributes = attributes;
            (header.record_count, header.last_offset_delta) = (count, last);
        });
        let mut bytes = [&plain.bytes[..], &body].concat();
        let length = (bytes.len() - 12) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes[21..]) as u32;
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        for batch in batch::split(bytes.into()).flatten() {
            let _ = repack(&[batch], 3, wanted(0, largest, None));
        }
    }
}

pub(super) fn plain_record(offset: i64, size: usize) -> Record {
    Record {
        offset,
        timestamp: 1_700_000_000_000 + offset,
        key: Some(offset.to_string().into()),
        value: Some(vec![b'v'; size].into()),
        headers: vec![],
    }
}

#[test]
fn a_batch_is_split_into_few_and_one_large_record_comes_alone() {
    let mut records: Vec<Record> = (0..1000).map(|offset| plain_record(offset, 1000)).collect();
    let batch = encode_from((0, 0), &records, Codec::None, |_| ());
    let largest = batch.bytes.len() / 10;
    let new = repack(std::slice::from_ref(&batch), 0, wanted(0, largest, None)).expect("fit");
    assert!((10..=12).contains(&new.len()), "{} batches", new.len());
    check(&[batch], 0, wanted(0, largest, None));

    records[500] = plain_record(500, 200_000);
    let batch = encode_from((0, 0), &records, Codec::None, |_| ());
    let new = repack(&[batch], 0, wanted(0, largest, None)).expect("fit");
    let over: Vec<_> = new
        .iter()
        .filter(|new| new.batch.len() > largest)
        .map(|new| (new.count, new.origin.offset(0)))
        .collect();
    assert_eq!(over, [(1, 500)]);
}

#[test]
fn offsets_that_do_not_ascend_are_not_copied() {
    for offsets in [[5, 5], [6, 5], [5, 9]] {
        let records = offsets.map(|offset| plain_record(offset, 1));
        let batch = encode_from((5, 0), &records, Codec::None, |header| {
            header.last_offset_delta = 3;
        });
        let result = repack(&[batch], 0, wanted(0, usize::MAX, None));
        assert!(
            matches!(result, Err(Unfit::Unreadable { at: 5, .. })),
            "{offsets:?}"
        );
    }
}

#[test]
fn what_no_writer_means_is_kept_too() {
    let header = |name: &'static [u8], value| Header {
        name: name.into(),
        value,
    };
    let record = Record {
        offset: 8,
        timestamp: -1,
        key: None,
        value: Some(Default::default()),
        headers: vec![
            header(b"\xff\xfe", None),
            header(b"twice", Some(b"1"[..].into())),
            header(b"", Some(Default::default())),
            header(b"twice", Some(b"2"[..].into())),
        ],
    };
    let batch = encode_from((3, 1_000), &[record], Codec::Zstd, |_| ());
    check(&[batch], 0, wanted(0, usize::MAX, None));
}
