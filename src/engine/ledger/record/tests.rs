//! Records are read back as they were written; anything else is refused.

use proptest::prelude::*;

use super::*;

#[test]
fn records_are_read_back_and_newer_ones_are_refused() {
    let record = Record {
        generation: 3,
        run: 77,
        entries: vec![
            Entry::Sealed { number: 4 },
            Entry::Run {
                at: At {
                    topic: 2,
                    partition: 9,
                },
                run: Run {
                    identity: 4,
                    sequence: 1 << 40,
                    offset: 12,
                },
            },
        ],
    };
    let mut bytes = record.encode();
    assert_eq!(Record::decode(&bytes), Ok(record));
    bytes[2] = FORMAT + 1;
    assert_eq!(
        Record::decode(&bytes),
        Err(Unreadable::Newer { found: FORMAT + 1 })
    );
    assert_eq!(Record::decode(b"hello"), Err(Unreadable::Foreign));
    assert_eq!(Record::decode(b""), Err(Unreadable::Foreign));
}

fn at() -> impl Strategy<Value = At> {
    (any::<u32>(), any::<i32>()).prop_map(|(topic, partition)| At { topic, partition })
}

fn setting() -> impl Strategy<Value = HeldSetting> {
    (any::<String>(), any::<Option<String>>(), any::<String>())
        .prop_map(|(name, before, held)| HeldSetting { name, before, held })
}

fn stage() -> impl Strategy<Value = HeldStage> {
    prop_oneof![
        Just(HeldStage::Intended),
        Just(HeldStage::Holding),
        Just(HeldStage::Restoring)
    ]
}

fn held() -> impl Strategy<Value = Held> {
    let settings = proptest::collection::vec(setting(), 0..4);
    (settings, stage(), any::<i64>()).prop_map(|(settings, stage, since_ms)| Held {
        settings,
        stage,
        since_ms,
    })
}

fn seam() -> impl Strategy<Value = Seam> {
    any::<[i64; 4]>().prop_map(
        |[source_start, source_end, target_start, target_end]| Seam {
            source_start,
            source_end,
            target_start,
            target_end,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (at(), seam()).prop_map(|(at, seam)| Entry::Seam { at, seam }),
        (at(), any::<i64>()).prop_map(|(at, at_ms)| Entry::Current { at, at_ms }),
        (any::<u32>(), held()).prop_map(|(topic, held)| Entry::Held { topic, held }),
        any::<u32>().prop_map(|topic| Entry::LetGo { topic }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in proptest::collection::vec(entry(), 0..9)) {
        let record = Record { generation: 1, run: 2, entries };
        prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Record::decode(&bytes));
        bytes.splice(0..0, [b'K', b'M', FORMAT]);
        drop(Record::decode(&bytes));
    }
}
