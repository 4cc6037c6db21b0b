//! Whose a batch is: an application's, or a copy that a direction made. Told from its header and the identities in that direction's ledger.
//!
//! 1. Every batch of a partition is either an application's or a copy, never both: it counts once, in one direction.
//! 2. An identity stands in its ledger before its first batch, so ledgers are read once the ends up to which is compared were seen.
//! 3. What no identity on record explains is an application's, and has to be on the other side.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::wire::batch::BatchHeader;

/// The producer epochs under which a direction has written, or may have, by producer id.
pub type Identities = HashMap<i64, Vec<i16>>;

/// The copies that a direction made in one partition.
#[derive(Debug, Clone)]
pub struct Copies {
    /// All identities that it ever had.
    pub identities: Arc<Identities>,
    /// It wrote nothing below this offset.
    pub begins: i64,
    /// Ranges that look like copies, and a person took for an application's.
    pub except: Vec<Range<i64>>,
}

/// Whose a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// An application's.
    Native,
    /// A copy.
    Copy,
    /// It has a producer id under which copies are made, and an epoch under which none were: a client brought the id along, or lied.
    Unclear,
}

impl Copies {
    /// Whose a data batch is.
    pub fn whose(&self, header: &BatchHeader) -> Whose {
        // Copies have an identity and are in no transaction.
        let cannot_be = header.producer_id < 0
            || header.is_transactional()
            || header.last_offset() < self.begins
            || self
                .except
                .iter()
                .any(|one| one.start < header.next_offset() && header.next_offset() <= one.end);
        match self.identities.get(&header.producer_id) {
            Some(_) if cannot_be => Whose::Native,
            Some(epochs) if epochs.contains(&header.producer_epoch) => Whose::Copy,
            Some(_) => Whose::Unclear,
            None => Whose::Native,
        }
    }
}

/// Which batches of one side are compared.
#[derive(Debug, Clone, Default)]
pub enum Counting {
    /// All: nothing was ever copied to here, or nobody but us writes here.
    #[default]
    All,
    /// What applications wrote.
    Natives(Copies),
    /// What was copied to here.
    Copies(Copies),
}

impl Counting {
    /// Does a data batch count, and is it one of those that are unclear?
    pub fn counts(&self, header: &BatchHeader) -> (bool, bool) {
        let (whose, wanted) = match self {
            Self::All => return (true, false),
            Self::Natives(copies) => (copies.whose(header), false),
            Self::Copies(copies) => (copies.whose(header), true),
        };
        let counts = (whose == Whose::Copy) == wanted;
        (counts, counts && whose == Whose::Unclear)
    }

    /// Do other batches than those that count lie between them?
    pub fn is_choosy(&self) -> bool {
        !matches!(self, Self::All)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        codec::Codec,
        record::tests::{encode, record_at},
    };

    /// Of a batch of one record, as it stands at an offset.
    fn header(offset: i64, id: i64, epoch: i16, transactional: bool) -> BatchHeader {
        let attributes = if transactional { 0x10 } else { 0 };
        let batch = encode(&[record_at(offset)], Codec::None, |header| {
            (header.producer_id, header.producer_epoch) = (id, epoch);
            header.attributes = attributes;
        });
        batch.header
    }

    fn copies() -> Copies {
        Copies {
            identities: Arc::new(HashMap::from([(7, vec![3, 5]), (9, vec![3])])),
            begins: 100,
            except: std::iter::once(104..106).collect(),
        }
    }

    #[test]
    fn a_copy_has_an_identity_on_record_and_stands_behind_the_beginning() {
        let whose = |offset, id, epoch, transactional| {
            copies().whose(&header(offset, id, epoch, transactional))
        };
        assert_eq!(whose(100, 7, 3, false), Whose::Copy);
        assert_eq!(whose(100, 7, 5, false), Whose::Copy, "an earlier one");
        assert_eq!(whose(100, 9, 3, false), Whose::Copy);
        assert_eq!(whose(99, 7, 3, false), Whose::Native, "before the seam");
        assert_eq!(whose(105, 7, 3, false), Whose::Native, "a person said so");
        assert_eq!(whose(106, 7, 3, false), Whose::Copy, "of that one alone");
        assert_eq!(whose(100, 7, 4, false), Whose::Unclear);
        assert_eq!(whose(100, 7, 3, true), Whose::Native, "in a transaction");
        assert_eq!(whose(100, 8, 3, false), Whose::Native, "another id");
        assert_eq!(whose(100, -1, -1, false), Whose::Native, "no id");
    }

    proptest! {
        /// What applications wrote and what was copied are all there is, and share nothing.
        #[test]
        fn every_batch_counts_in_one_direction(
            offset in 90i64..110, id in -1i64..10, epoch in -1i16..7, transactional: bool,
        ) {
            let header = header(offset, id, epoch, transactional);
            let (native, unclear) = Counting::Natives(copies()).counts(&header);
            let (copy, never) = Counting::Copies(copies()).counts(&header);
            prop_assert!(native != copy);
            prop_assert!(!never && (!unclear || native));
            prop_assert_eq!(Counting::All.counts(&header), (true, false));
            let ours = [(7, 3), (7, 5), (9, 3)].contains(&(id, epoch));
            let excepted = offset < 100 || (104..106).contains(&offset);
            prop_assert_eq!(copy, ours && !transactional && !excepted);
        }
    }
}
