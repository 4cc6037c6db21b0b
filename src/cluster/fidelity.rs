//! Do batches stay as they were written? Some are written to a topic of our own, read back raw, and compared byte for byte.

use std::collections::BTreeSet;

use super::{Error, Result, Target, scratch::scratch_name};
use crate::{
    clock,
    model::names::TopicPartition,
    wire::{
        batch::{Batch, HEADER_LEN, Stamp, Stamped},
        codec::Codec,
        encode::{Draft, batch_of},
        versions::PRODUCE,
    },
};

/// One batch of each: a broker or a proxy may take to one codec and not to another.
const CODECS: [(Codec, &str); 5] = [
    (Codec::None, "without compression"),
    (Codec::Gzip, "in gzip"),
    (Codec::Snappy, "in snappy"),
    (Codec::Lz4, "in lz4"),
    (Codec::Zstd, "in zstd"),
];
/// Bytes of one read; the batches of a partition are far smaller together.
const CHUNK: i32 = 1 << 20;

/// What came of writing batches and reading them back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Nothing was tried, because these rights are missing on this topic.
    NotAllowed {
        /// The topic.
        topic: String,
        /// The rights.
        lacks: Vec<&'static str>,
    },
    /// It was tried.
    Tried {
        /// Brokers that led a partition that was written.
        brokers: usize,
        /// Batches written.
        batches: usize,
        /// Those that came back changed, one line each, or were refused.
        changed: Vec<String>,
        /// Why the topic is still there, if it is.
        left: Option<String>,
    },
}

impl Target {
    /// Writes to `kafka-migrate.<migration>.probe`, which is made for it and removed after.
    pub async fn fidelity(&self, migration: &str) -> Result<Fidelity> {
        let name = scratch_name(migration);
        let lacks = self.lacks_for_scratch(&name).await?;
        if !lacks.is_empty() {
            let topic = name.to_string();
            return Ok(Fidelity::NotAllowed { topic, lacks });
        }
        let scratch = self.scratch(migration).await?;
        let tried = async {
            let partitions = scratch.partitions().await?;
            let mut brokers = BTreeSet::new();
            let mut changed = Vec::new();
            for at in &partitions {
                let broker = self.leader(at).await?;
                brokers.insert(broker);
                let lines = self.write_and_compare(at).await?;
                changed.extend(
                    lines
                        .into_iter()
                        .map(|line| format!("broker {broker}: {line}")),
                );
            }
            Ok((brokers.len(), partitions.len() * CODECS.len(), changed))
        };
        let tried = tried.await;
        let left = scratch.remove().await.err().map(|error| error.to_string());
        let (brokers, batches, changed) = tried?;
        Ok(Fidelity::Tried {
            brokers,
            batches,
            changed,
            left,
        })
    }

    async fn write_and_compare(&self, at: &TopicPartition) -> Result<Vec<String>> {
        let identity = self.passing_identity().await?;
        let mut stamp = Stamp {
            producer_id: identity.producer_id,
            producer_epoch: identity.producer_epoch,
            base_sequence: 0,
        };
        let mut lines = Vec::new();
        for (codec, words) in CODECS {
            let sent = sample(codec, stamp);
            let offset = match self.append_batch(at, || sent.clone()).await {
                Ok(offset) => offset,
                // What cannot be taken is an answer too; what did not arrive is none.
                Err(error) if matches!(error, Error::Kafka { api, .. } if api == PRODUCE.name) => {
                    lines.push(format!("a batch {words} was refused ({error})"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            stamp.base_sequence += RECORDS;
            let (batches, _) = self.read(at, offset, CHUNK).await?;
            let line = match batches.iter().find(|one| one.header.base_offset == offset) {
                Some(batch) => differences(&sent, batch),
                None => Some("does not begin where the broker said that it does".to_owned()),
            };
            lines.extend(line.map(|line| format!("a batch {words}: {line}")));
        }
        Ok(lines)
    }
}

/// Records of the batches below.
const RECORDS: i32 = 3;

/// Three records with everything that is easily lost: no key, no value, a header twice, a header name that is no UTF-8, times that do not ascend.
fn sample(codec: Codec, stamp: Stamp) -> Stamped {
    let now = clock::unix_millis();
    let headers: [(&[u8], Option<&[u8]>); 3] = [
        (b"twice", Some(b"1")),
        (b"twice", None),
        (b"\xff\xfe", Some(b"")),
    ];
    let value = [b'v'; 200];
    let record = |age: i64, key: Option<&'static [u8]>| Draft {
        timestamp: now - age,
        key,
        value: None,
        headers: &[],
    };
    let records = [
        Draft {
            value: Some(&value),
            headers: &headers,
            ..record(1_000, Some(b"key"))
        },
        record(3_000, Some(b"tombstone")),
        Draft {
            value: Some(b""),
            ..record(2_000, None)
        },
    ];
    batch_of(&records, codec, stamp).expect("a few hundred bytes can be compressed")
}

/// What of a batch is not as it was sent, if anything. Its offset and its leader's epoch are the broker's to set.
fn differences(sent: &Stamped, found: &Batch) -> Option<String> {
    let whole = sent.bytes();
    let same = |from: usize, to: usize| whole.get(from..to) == found.bytes.get(from..to);
    if same(8, 12) && whole.len() == found.bytes.len() && whole[16..] == found.bytes[16..] {
        return None;
    }
    const FIELDS: [(&str, usize, usize); 8] = [
        ("attributes (compression, kind of timestamp)", 21, 23),
        ("last offset", 23, 27),
        ("first timestamp", 27, 35),
        ("largest timestamp", 35, 43),
        ("producer id", 43, 51),
        ("producer epoch", 51, 53),
        ("sequence", 53, 57),
        ("record count", 57, 61),
    ];
    let mut changed: Vec<&str> = FIELDS
        .iter()
        .filter(|(_, from, to)| !same(*from, *to))
        .map(|(name, ..)| *name)
        .collect();
    if whole[HEADER_LEN..] != found.bytes[HEADER_LEN..] {
        changed.push("records");
    }
    if changed.is_empty() {
        changed.push("checksum or length");
    }
    Some(format!("other {}", changed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::batch::split;

    const STAMP: Stamp = Stamp {
        producer_id: 7,
        producer_epoch: 1,
        base_sequence: 3,
    };

    fn stored(sent: &Stamped, change: impl Fn(&mut Vec<u8>)) -> Batch {
        let mut bytes = sent.bytes().to_vec();
        // As a broker stores it.
        bytes[..8].copy_from_slice(&42i64.to_be_bytes());
        bytes[12..16].copy_from_slice(&5i32.to_be_bytes());
        change(&mut bytes);
        let batch = split(bytes.into()).next().expect("a batch");
        batch.expect("well formed")
    }

    #[test]
    fn what_the_broker_sets_is_no_difference_and_every_other_byte_is() {
        for (codec, words) in CODECS {
            let sent = sample(codec, STAMP);
            assert!(sent.is_intact(), "{words}");
            assert_eq!(differences(&sent, &stored(&sent, |_| {})), None, "{words}");
            let length = sent.len();
            // Length and magic decide what a batch is at all; every byte behind them is compared.
            for at in 17..length {
                let changed = stored(&sent, |bytes| bytes[at] ^= 1);
                assert!(differences(&sent, &changed).is_some(), "{words}: byte {at}");
            }
        }
    }

    #[test]
    fn what_changed_is_named() {
        let sent = sample(Codec::None, STAMP);
        let other = sample(
            Codec::Lz4,
            Stamp {
                producer_id: -1,
                ..STAMP
            },
        );
        let found = stored(&other, |_| {});
        let said = differences(&sent, &found).expect("it differs");
        for part in ["attributes", "producer id", "records"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("sequence"), "{said}");
    }
}
