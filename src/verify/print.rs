//! A record's fingerprint: what two clusters are compared by, in a fixed number of bytes.
//!
//! XXH3-128 under a seed drawn for each run, so that no data can be prepared to collide. Records of any size are compared and
//! looked ahead at in bounded memory.

use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::wire::record::{Header, Record};

/// One part of a record: key, value or headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Digest of the bytes, for headers of all names and values with their lengths.
    pub digest: u128,
    /// Bytes, for headers their number; -1 is null, which differs from empty.
    pub length: i64,
}

/// A record without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// Where it stands in its partition.
    pub offset: i64,
    /// Digest of key, value, headers and timestamp: two records are the same if this is.
    pub whole: u128,
    /// Digest of key, value and timestamp alone: what a client that cannot read raw header names sees.
    pub core: u128,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key.
    pub key: Part,
    /// The value.
    pub value: Part,
    /// The headers, in order, duplicates included.
    pub headers: Part,
    /// The headers with what is not UTF-8 in their names replaced; zero unless asked for.
    pub lossy_headers: u128,
    /// It bears the header by which a copier marks its copies; the fingerprint is of the record without it.
    pub marked: bool,
}

/// Takes fingerprints.
#[derive(Debug, Clone)]
pub struct Printer {
    seed: u64,
    lossy: bool,
    mark: Option<Bytes>,
    scratch: Vec<u8>,
}

impl Printer {
    /// Fingerprints are comparable only between printers of one seed. `lossy` also prints header names as a broker's log
    /// cleaner rewrites them (Apache Kafka's `DefaultRecord` reads names into strings).
    pub fn new(seed: u64, lossy: bool) -> Self {
        Self {
            seed,
            lossy,
            mark: None,
            scratch: Vec::new(),
        }
    }

    /// The same, but a header of this name is a copier's mark and no part of the record.
    #[must_use]
    pub fn marked_by(mut self, name: &[u8]) -> Self {
        self.mark = Some(Bytes::copy_from_slice(name));
        self
    }

    /// The fingerprint of one record.
    pub fn print(&mut self, record: &Record) -> Print {
        let (key, value, core) = self.core(
            record.key.as_deref(),
            record.value.as_deref(),
            record.timestamp,
        );
        let mark = self.mark.clone();
        let is_mark = |header: &Header| mark.as_ref() == Some(&header.name);
        let marked = record.headers.iter().any(is_mark);
        let without: Vec<Header>;
        let all = match marked {
            false => &record.headers,
            true => {
                let rest = record.headers.iter().filter(|header| !is_mark(header));
                without = rest.cloned().collect();
                &without
            }
        };
        let headers = self.headers(all, false);
        let lossy_headers = if self.lossy {
            self.headers(all, true).digest
        } else {
            0
        };
        let mut both = [0; 40];
        both[..16].copy_from_slice(&core.to_le_bytes());
        both[16..32].copy_from_slice(&headers.digest.to_le_bytes());
        both[32..].copy_from_slice(&headers.length.to_le_bytes());
        let whole = self.digest(&both);
        Print {
            offset: record.offset,
            whole,
            core,
            timestamp: record.timestamp,
            key,
            value,
            headers,
            lossy_headers,
            marked,
        }
    }

    /// Key, value, and the digest of both with the timestamp.
    pub fn core(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> (Part, Part, u128) {
        let (key, value) = (self.part(key), self.part(value));
        let mut all = [0; 56];
        all[..16].copy_from_slice(&key.digest.to_le_bytes());
        all[16..24].copy_from_slice(&key.length.to_le_bytes());
        all[24..40].copy_from_slice(&value.digest.to_le_bytes());
        all[40..48].copy_from_slice(&value.length.to_le_bytes());
        all[48..].copy_from_slice(&timestamp.to_le_bytes());
        (key, value, self.digest(&all))
    }

    fn part(&self, bytes: Option<&[u8]>) -> Part {
        match bytes {
            None => Part {
                digest: 0,
                length: -1,
            },
            Some(bytes) => Part {
                digest: self.digest(bytes),
                length: bytes.len() as i64,
            },
        }
    }

    fn headers(&mut self, headers: &[Header], lossy: bool) -> Part {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        for header in headers {
            if lossy {
                // Runs of the replacement character count as one: decoders differ in how many they put for broken bytes.
                let name = String::from_utf8_lossy(&header.name);
                let mut last = None;
                for c in name
                    .chars()
                    .filter(|c| (last.replace(*c), *c) != (Some('\u{fffd}'), '\u{fffd}'))
                {
                    scratch.extend(u32::from(c).to_le_bytes());
                }
            } else {
                scratch.extend((header.name.len() as i64).to_le_bytes());
                scratch.extend(&header.name);
            }
            scratch.extend(
                header
                    .value
                    .as_ref()
                    .map_or(-1, |v| v.len() as i64)
                    .to_le_bytes(),
            );
            scratch.extend_from_slice(header.value.as_deref().unwrap_or_default());
        }
        let part = Part {
            digest: if headers.is_empty() {
                0
            } else {
                self.digest(&scratch)
            },
            length: headers.len() as i64,
        };
        self.scratch = scratch;
        part
    }

    fn digest(&self, bytes: &[u8]) -> u128 {
        XxHash3_128::oneshot_with_seed(self.seed, bytes)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(
        key: Option<&'static str>,
        headers: &[(&'static [u8], Option<&'static str>)],
    ) -> Record {
        let headers = headers
            .iter()
            .map(|(n, v)| Header {
                name: Bytes::from_static(n),
                value: v.map(Bytes::from),
            })
            .collect();
        Record {
            offset: 0,
            timestamp: 5,
            key: key.map(Bytes::from),
            value: None,
            headers,
        }
    }

    #[test]
    fn null_differs_from_empty_and_headers_keep_order_and_duplicates() {
        let seen: Vec<_> = [
            record(None, &[]),
            record(Some(""), &[]),
            record(None, &[(b"a", None)]),
            record(None, &[(b"a", Some(""))]),
            record(None, &[(b"a", None), (b"a", None)]),
            record(None, &[(b"a", None), (b"b", None)]),
            record(None, &[(b"b", None), (b"a", None)]),
            record(None, &[(b"\xff", None)]),
            record(None, &[(b"\xfe", None)]),
        ]
        .iter()
        .map(|r| Printer::new(1, true).print(r))
        .collect();
        for (i, one) in seen.iter().enumerate() {
            assert!(
                seen[..i].iter().all(|other| other.whole != one.whole),
                "{i}"
            );
        }
        assert_eq!(seen[7].lossy_headers, seen[8].lossy_headers);
        assert_ne!(seen[5].lossy_headers, seen[6].lossy_headers);
    }

    #[test]
    fn a_copiers_mark_is_no_part_of_the_record_wherever_it_stands() {
        let print = |headers: &[(&'static [u8], Option<&'static str>)]| {
            Printer::new(1, false)
                .marked_by(b"mark")
                .print(&record(None, headers))
        };
        let plain = print(&[(b"a", Some("1"))]);
        assert!(!plain.marked);
        for copy in [
            print(&[(b"a", Some("1")), (b"mark", Some("Aaa"))]),
            print(&[(b"mark", None), (b"a", Some("1"))]),
        ] {
            assert!(copy.marked);
            assert_eq!(copy.whole, plain.whole);
        }
        let bare = print(&[(b"mark", Some("Aaa"))]);
        assert_eq!(bare.whole, print(&[]).whole);
        let other = Printer::new(1, false).print(&record(None, &[(b"mark", None)]));
        assert!(!other.marked && other.whole != bare.whole);
    }
}
