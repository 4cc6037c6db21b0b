//! What a fetch answer holds of a partition: whole batches, of which parts may have stayed in the kernel.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    batch::{self, Batch, BatchError, BatchHeader, HEADER_LEN, Stamp, Stamped},
    kept::{Body, Kept},
};

/// Bytes that were left out of others.
#[derive(Debug, Clone)]
pub struct Cut {
    /// How many of the others lie before them.
    pub at: usize,
    /// What was left out.
    pub kept: Kept,
}

/// An answer as it came, from its correlation id on.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// All that is at hand.
    pub bytes: Bytes,
    /// What is not: rests of batches, in order.
    pub cuts: VecDeque<Cut>,
}

impl Frame {
    /// With what stayed in the kernel, in bytes.
    pub fn len(&self) -> usize {
        let cut: usize = self.cuts.iter().map(|cut| cut.kept.len()).sum();
        self.bytes.len() + cut
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            cuts: VecDeque::new(),
        }
    }
}

/// Raw batches, the last of which may be cut off by the broker.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// All that is at hand.
    bytes: Bytes,
    /// Rests of batches.
    cuts: VecDeque<Cut>,
}

impl Records {
    /// With rests that stayed in the kernel, each in the place it was cut out of `bytes`.
    pub fn new(bytes: Bytes, cuts: VecDeque<Cut>) -> Self {
        Self { bytes, cuts }
    }

    /// Are there no bytes at all?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.cuts.is_empty()
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        let cut: usize = self.cuts.iter().map(|cut| cut.kept.len()).sum();
        self.bytes.len() + cut
    }

    /// All of it as it was served, read where it is not at hand.
    pub fn bytes(&self) -> Bytes {
        if self.cuts.is_empty() {
            return self.bytes.clone();
        }
        let mut all = Vec::with_capacity(self.len());
        let mut at = 0;
        for cut in &self.cuts {
            all.extend_from_slice(&self.bytes[at..cut.at]);
            all.extend_from_slice(&cut.kept.bytes());
            at = cut.at;
        }
        all.extend_from_slice(&self.bytes[at..]);
        all.into()
    }

    /// Did most of them stay in the kernel?
    pub fn are_kept(&self) -> bool {
        self.bytes.len() < self.len() / 2
    }

    /// Bytes of a batch on average; those of the first where it is not whole, `None` where its header is not.
    pub fn usual_batch(&self) -> Option<usize> {
        let first = BatchHeader::decode(&self.bytes).ok()?.whole();
        let (mut batches, mut bytes) = (0, 0);
        for batch in self.clone().split().map_while(Result::ok) {
            batches += 1;
            bytes += batch.len();
        }
        Some(bytes.checked_div(batches).unwrap_or(first))
    }

    /// The whole batches, in order; like [`super::batch::split`], which it is for those that are all at hand.
    pub fn split(self) -> Arriving {
        Arriving {
            rest: self.bytes,
            passed: 0,
            cuts: self.cuts,
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes, VecDeque::new())
    }
}

/// One whole batch as it came, of which the end may have stayed in the kernel.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The decoded header.
    pub header: BatchHeader,
    /// The header and what is at hand of the records.
    bytes: Bytes,
    kept: Option<Kept>,
}

impl Arrived {
    /// In bytes, header included.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.kept.as_ref().map_or(0, Kept::len)
    }

    /// Never: there is always a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Everything after the header.
    pub fn body(&self) -> Body {
        Body {
            here: self.bytes.slice(HEADER_LEN..),
            kept: self.kept.clone(),
        }
    }

    /// As a target takes it, with its records as they are.
    pub fn stamped(&self, stamp: Stamp) -> Stamped {
        let mut head = [0; HEADER_LEN];
        head.copy_from_slice(&self.bytes[..HEADER_LEN]);
        Stamped::anew(head, &self.header, self.body(), stamp)
    }

    /// All of it, read where it is not at hand.
    pub fn whole(&self) -> Batch {
        let bytes = match &self.kept {
            None => self.bytes.clone(),
            Some(kept) => [&self.bytes[..], &kept.bytes()].concat().into(),
        };
        Batch {
            header: self.header,
            bytes,
        }
    }
}

impl From<Batch> for Arrived {
    fn from(batch: Batch) -> Self {
        Self {
            header: batch.header,
            bytes: batch.bytes,
            kept: None,
        }
    }
}

/// Batches one after the other. After an error it ends.
#[derive(Debug)]
pub struct Arriving {
    rest: Bytes,
    /// Of the bytes at hand.
    passed: usize,
    cuts: VecDeque<Cut>,
}

impl Iterator for Arriving {
    type Item = Result<Arrived, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = match batch::next_header(&mut self.rest)? {
            Ok(header) => header,
            Err(error) => return Some(Err(error)),
        };
        let whole = header.whole();
        let of_batch = |cut: &&Cut| cut.at.saturating_sub(self.passed) <= whole;
        let kept = self
            .cuts
            .front()
            .filter(of_batch)
            .map(|cut| cut.kept.clone());
        let here = whole.checked_sub(kept.as_ref().map_or(0, Kept::len));
        let here = here.filter(|&here| HEADER_LEN <= here && here <= self.rest.len())?;
        if kept.is_some() {
            self.cuts.pop_front();
        }
        self.passed += here;
        Some(Ok(Arrived {
            header,
            bytes: self.rest.split_to(here),
            kept,
        }))
    }
}
