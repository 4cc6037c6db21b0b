//! Offsets by time.

use super::{super::records, Log};

impl Log {
    /// The first record at or after this time: its time and offset (F-24), before the bound.
    pub fn at_time(&self, time: i64, bound: i64) -> Option<(i64, i64)> {
        for stored in &self.batches {
            let header = &stored.header;
            if header.base_offset >= bound {
                return None;
            }
            if header.max_timestamp < time || header.last_offset() < self.start {
                continue;
            }
            if header.is_log_append_time() {
                return Some((header.max_timestamp, header.base_offset.max(self.start)));
            }
            for record in records::read(header, &stored.bytes).unwrap_or_default() {
                let stamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
                let offset = header.base_offset + record.offset_delta;
                if stamp >= time && offset >= self.start && offset < bound {
                    return Some((stamp, offset));
                }
            }
        }
        None
    }

    /// The record with the largest time, the first of several: its time and offset (KIP-734).
    pub fn latest_time(&self) -> Option<(i64, i64)> {
        let largest = self
            .batches
            .iter()
            .map(|one| one.header.max_timestamp)
            .max()?;
        self.at_time(largest, i64::MAX)
    }
}
