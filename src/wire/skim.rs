//! Finds the bodies of large batches in a fetch answer of which only the beginning has come.

use bytes::Buf;

use super::batch::{BatchHeader, HEADER_LEN};

/// From this version on topics are named by id (KIP-516).
const BY_ID: i16 = 13;
/// More topics, partitions or tagged fields than that are not counted: no answer has them.
const MANY: u32 = 1 << 24;

/// What comes next in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// That cannot be told before so many more bytes are there.
    More(usize),
    /// So many bytes of a batch's records, all of which belong to it.
    Body(usize),
    /// Nothing that is of interest: the rest is read as it comes.
    Plain,
}

/// A walk over an answer of version 12 and up, from its correlation id on.
#[derive(Debug)]
pub struct Skim {
    version: i16,
    /// Everything before was understood.
    at: usize,
    stands: Stands,
    /// Topics behind this one, partitions behind this one.
    topics: u32,
    partitions: u32,
    /// Bytes of this partition's records that were not passed.
    records: usize,
}

/// In front of what it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Answer,
    Topic,
    Partition,
    Batch,
    PartitionTags,
    TopicTags,
    End,
}

/// Why there is no step: too few bytes, or such as no answer has.
#[derive(Debug)]
enum Stuck {
    /// So many are missing at least.
    Short(usize),
    Odd,
}

impl From<bytes::TryGetError> for Stuck {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Short(1)
    }
}

impl Skim {
    /// In front of an answer.
    pub fn new(version: i16) -> Self {
        Self {
            version,
            at: 0,
            stands: Stands::Answer,
            topics: 0,
            partitions: 0,
            records: 0,
        }
    }

    /// Goes on as far as the bytes that have come allow: those from the correlation id on, without what was `passed`.
    pub fn next(&mut self, come: &[u8]) -> Next {
        loop {
            let Some(mut rest) = come.get(self.at..) else {
                return Next::More(self.at - come.len());
            };
            let before = rest.len();
            let step = self.step(&mut rest);
            match step {
                Ok(None) => self.at += before - rest.len(),
                Ok(Some(Next::Body(missing))) => {
                    // The batch is understood up to here; what is missing of it is passed or read.
                    self.at = come.len();
                    return Next::Body(missing);
                }
                Ok(Some(next)) => return next,
                Err(Stuck::Short(missing)) => return Next::More(missing),
                Err(Stuck::Odd) => {
                    self.stands = Stands::End;
                    return Next::Plain;
                }
            }
        }
    }

    /// What was missing of a body is read, instead of kept elsewhere.
    pub fn reads(&mut self, missing: usize) {
        self.at += missing;
    }

    /// One step over what lies in front.
    fn step(&mut self, rest: &mut &[u8]) -> Result<Option<Next>, Stuck> {
        match self.stands {
            Stands::Answer => {
                rest.try_get_i32()?;
                skip_tags(rest)?;
                // How long to pause, an error, the session.
                skip(rest, 4 + 2 + 4)?;
                self.topics = count(rest)?;
                self.stands = self.next_topic();
            }
            Stands::Topic => {
                let name = if self.version >= BY_ID {
                    16
                } else {
                    count(rest)? as usize
                };
                skip(rest, name)?;
                self.partitions = count(rest)?;
                self.stands = self.next_partition();
            }
            Stands::Partition => {
                // Its number, an error, three offsets.
                skip(rest, 4 + 2 + 3 * 8)?;
                for _ in 0..count(rest)? {
                    skip(rest, 2 * 8)?;
                    skip_tags(rest)?;
                }
                // The replica to read from.
                skip(rest, 4)?;
                self.records = length(rest)?;
                self.stands = Stands::Batch;
            }
            Stands::Batch if self.records < HEADER_LEN => {
                skip(rest, self.records)?;
                self.records = 0;
                self.stands = Stands::PartitionTags;
            }
            Stands::Batch => {
                let header = rest.get(..HEADER_LEN).ok_or(Stuck::Short(1))?;
                let whole = BatchHeader::decode(header).map_err(|_| Stuck::Odd)?.whole();
                if whole > self.records {
                    // Cut off by the broker: it comes again.
                    skip(rest, self.records)?;
                    self.records = 0;
                    self.stands = Stands::PartitionTags;
                    return Ok(None);
                }
                let come = rest.len().min(whole);
                self.records -= whole;
                rest.advance(come);
                if come < whole {
                    return Ok(Some(Next::Body(whole - come)));
                }
            }
            Stands::PartitionTags => {
                skip_tags(rest)?;
                self.stands = self.next_partition();
            }
            Stands::TopicTags => {
                skip_tags(rest)?;
                self.stands = self.next_topic();
            }
            Stands::End => return Ok(Some(Next::Plain)),
        }
        Ok(None)
    }

    fn next_topic(&mut self) -> Stands {
        match self.topics.checked_sub(1) {
            Some(behind) => {
                self.topics = behind;
                Stands::Topic
            }
            None => Stands::End,
        }
    }

    fn next_partition(&mut self) -> Stands {
        match self.partitions.checked_sub(1) {
            Some(behind) => {
                self.partitions = behind;
                Stands::Partition
            }
            None => Stands::TopicTags,
        }
    }
}

fn skip(rest: &mut &[u8], bytes: usize) -> Result<(), Stuck> {
    let missing = bytes.saturating_sub(rest.len());
    *rest = rest.get(bytes..).ok_or(Stuck::Short(missing))?;
    Ok(())
}

/// An unsigned varint.
fn varint(rest: &mut &[u8]) -> Result<u32, Stuck> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = rest.try_get_u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return u32::try_from(value).map_err(|_| Stuck::Odd);
        }
    }
    Err(Stuck::Odd)
}

/// The length of compact bytes; none for null.
fn length(rest: &mut &[u8]) -> Result<usize, Stuck> {
    Ok(varint(rest)?.saturating_sub(1) as usize)
}

/// The length of a compact array or name.
fn count(rest: &mut &[u8]) -> Result<u32, Stuck> {
    let count = varint(rest)?.saturating_sub(1);
    if count > MANY {
        Err(Stuck::Odd)
    } else {
        Ok(count)
    }
}

fn skip_tags(rest: &mut &[u8]) -> Result<(), Stuck> {
    let tags = varint(rest)?;
    if tags > MANY {
        return Err(Stuck::Odd);
    }
    for _ in 0..tags {
        varint(rest)?;
        let size = varint(rest)? as usize;
        skip(rest, size)?;
    }
    Ok(())
}
