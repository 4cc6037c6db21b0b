//! What one ledger record says, and its bytes.
//!
//! A value is two bytes `KM`, one byte of format version, and the record in postcard's encoding (variable-length integers).
//! Variants and fields are only ever appended, under a higher version: a reader that meets a version it does not know stops.

mod entry;
mod held;
mod owners;
mod places;
mod requests;
mod stops;

use serde::{Deserialize, Serialize};

pub use entry::Entry;
pub use held::{Held, HeldSetting, HeldStage};
pub use owners::{Header, Heartbeat, Owner, Retired};
pub use places::{Checkpoint, Echo, Epoch, Mapped, Run, Seam};
pub use requests::{Answer, Limit, Request, Steer};
pub use stops::{Beyond, Gap, Recopy, Stopped, Stranded, Trimmed};

/// The version that this program writes, and the highest it reads.
pub const FORMAT: u8 = 1;
const MAGIC: [u8; 2] = *b"KM";

/// One ledger record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Generation of the claim it is written under.
    pub generation: u64,
    /// The random number of the engine run that writes it: two claims may race to the same generation.
    pub run: u64,
    /// What it says, in order.
    pub entries: Vec<Entry>,
}

/// A partition, by the number its topic has in this shard's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The topic's number.
    pub topic: u32,
    /// The partition.
    pub partition: i32,
}

/// Bytes that are no ledger record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else wrote it.
    #[error("a record was not written by kafka-migrate")]
    Foreign,
    /// A newer version wrote it.
    #[error("it is in format {found}; this version reads up to {FORMAT}")]
    Newer {
        /// The format as read.
        found: u8,
    },
    /// The bytes end early or make no sense.
    #[error("a record cannot be decoded: {0}")]
    Broken(String),
}

impl Record {
    /// The record as the value of a Kafka record.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(FORMAT);
        postcard::to_extend(self, bytes).expect("our types need nothing that postcard lacks")
    }

    /// Reads what `encode` wrote.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        match value {
            [b'K', b'M', FORMAT, rest @ ..] => {
                postcard::from_bytes(rest).map_err(|error| Unreadable::Broken(error.to_string()))
            }
            [b'K', b'M', found, ..] => Err(Unreadable::Newer { found: *found }),
            _ => Err(Unreadable::Foreign),
        }
    }
}

#[cfg(test)]
mod tests;
