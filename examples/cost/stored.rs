//! What a broker has stored of a topic, read from its log files: records and bytes, markers left out.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::{support::kafka::Kafka, wire::LOG_OVERHEAD};

/// Before the records of a batch.
const HEADER: usize = 61;
/// Attribute bit: a commit or abort marker, which a planned stop leaves behind.
const CONTROL: u8 = 0x20;

/// One partition, or all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Records in batches that are not markers.
    pub records: u64,
    /// Bytes of those batches.
    pub bytes: u64,
}

/// Each of a topic's partitions on broker 0, in order.
pub fn partitions(kafka: &Kafka, topic: &str, count: i32) -> Vec<Stored> {
    let data = kafka.home().join("broker-0").join("data");
    let log = |partition: i32| {
        let directory = data.join(format!("{topic}-{partition}"));
        in_directory(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
    };
    (0..count).map(log).collect()
}

fn in_directory(directory: &Path) -> io::Result<Stored> {
    let mut stored = Stored::default();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("log")) {
            add_segment(&File::open(path)?, &mut stored)?;
        }
    }
    Ok(stored)
}

fn add_segment(segment: &File, stored: &mut Stored) -> io::Result<()> {
    let end = segment.metadata()?.len();
    let mut at = 0;
    while at < end {
        let mut header = [0; HEADER];
        segment.read_exact_at(&mut header, at)?;
        let field = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u64::from(u32::from_be_bytes(bytes))
        };
        let length = field(8) + LOG_OVERHEAD as u64;
        if header[22] & CONTROL == 0 {
            stored.records += field(57);
            stored.bytes += length;
        }
        at += length;
    }
    Ok(())
}
