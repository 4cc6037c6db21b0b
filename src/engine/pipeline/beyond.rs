//! Where a batch ends that cannot be copied, read from as few of its bytes as possible: they may be what is wrong with it.

use crate::engine::ledger::record::Beyond;

/// Offset and length.
const HEAD: usize = 12;
/// Up to and with the last offset's delta.
const HEADER: usize = 27;
const EPOCH: usize = 12;
const MAGIC: usize = 16;
const LAST_DELTA: usize = 23;

/// Behind the batch that holds `offset`, in what a broker served. `None`: nobody can say.
pub fn batch(mut served: &[u8], offset: i64) -> Option<Beyond> {
    loop {
        let base = i64::from_be_bytes(*served.first_chunk()?);
        let length = i32::from_be_bytes(*served.get(8..)?.first_chunk()?);
        let next = match *served.get(MAGIC)? {
            // One message, or a wrapper that carries the offset of its last.
            0 | 1 => base.checked_add(1)?,
            2 if served.len() >= HEADER => {
                let delta = i32::from_be_bytes(*served.get(LAST_DELTA..)?.first_chunk()?);
                base.checked_add(i64::from(delta))?.checked_add(1)?
            }
            _ => return None,
        };
        if base < 0 || next <= base {
            return None;
        }
        if next > offset {
            let epoch = match served[MAGIC] {
                2 => i32::from_be_bytes(*served.get(EPOCH..)?.first_chunk()?),
                _ => -1,
            };
            return Some(Beyond {
                source: next,
                epoch,
            });
        }
        let whole = HEAD.checked_add(usize::try_from(length).ok()?)?;
        served = served.get(whole..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(base: i64, delta: i32, epoch: i32) -> Vec<u8> {
        let mut bytes = base.to_be_bytes().to_vec();
        bytes.extend(49i32.to_be_bytes());
        bytes.extend(epoch.to_be_bytes());
        bytes.push(2);
        bytes.extend([0; 6]);
        bytes.extend(delta.to_be_bytes());
        bytes.resize(61, 0);
        bytes
    }

    #[test]
    fn a_batch_ends_behind_its_last_offset() {
        let mut served = v2(10, 4, 7);
        served.extend(v2(15, 0, 8));
        let beyond = |source, epoch| Some(Beyond { source, epoch });
        assert_eq!(batch(&served, 10), beyond(15, 7));
        assert_eq!(batch(&served, 14), beyond(15, 7));
        assert_eq!(batch(&served, 15), beyond(16, 8));
        assert_eq!(batch(&served, 16), None);
        served[MAGIC] = 1;
        assert_eq!(batch(&served, 10), beyond(11, -1));
        served[MAGIC] = 3;
        assert_eq!(batch(&served, 10), None);
        assert_eq!(batch(&v2(10, -1, 7), 10), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(served in proptest::collection::vec(any::<u8>(), 0..200), offset: i64) {
            let _ = batch(&served, offset);
        }
    }
}
