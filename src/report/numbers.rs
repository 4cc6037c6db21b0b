//! Numbers of a copy over time: samples in a file of the state directory, kept while an engine runs, never without bound, read for a report.
//!
//! A sample is of a stretch of time, and holds the largest of what it was behind and the sum of what it copied. Once there are too many, the
//! older half is thinned: two that follow one another become one of both stretches. So what is long ago is told more coarsely, and what was not
//! seen stays a gap. Whatever is wrong with the file is no engine's trouble: a line that is no sample is passed over.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use serde::{Deserialize, Serialize};

use crate::{
    clock,
    events::{Event, Progress},
};

/// The file's name in the state directory.
pub const FILE: &str = "numbers.jsonl";
/// A sample is of so long.
const EVERY_MS: i64 = 10_000;
/// An engine says where it is each second: what is longer apart was not seen.
const SLACK_MS: i64 = 5_000;
/// Samples kept.
const MOST: usize = 6_000;
/// Of a larger file only the end is read.
const LARGEST: u64 = 8 << 20;

/// What was seen in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// From when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Until when.
    pub at_ms: i64,
    /// From the source to the target.
    pub there: Option<Numbers>,
    /// From the target back to the source.
    pub back: Option<Numbers>,
}

/// Numbers of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Offsets that the other side did not hold yet, at most.
    pub lag: u64,
    /// Milliseconds since the other side had held everything, at most; `None`: it was not known.
    pub behind_ms: Option<u64>,
    /// Records that were copied.
    pub records: u64,
    /// Bytes that were copied, as stored.
    pub bytes: u64,
    /// Partitions that had stopped, at most.
    pub stopped: u64,
}

impl Numbers {
    fn and(self, later: Self) -> Self {
        Self {
            lag: self.lag.max(later.lag),
            behind_ms: self.behind_ms.max(later.behind_ms),
            records: self.records.saturating_add(later.records),
            bytes: self.bytes.saturating_add(later.bytes),
            stopped: self.stopped.max(later.stopped),
        }
    }
}

impl Sample {
    /// Does it begin where the other ends?
    pub fn follows(&self, before: &Self) -> bool {
        (0..=SLACK_MS).contains(&(self.since_ms - before.at_ms))
    }

    fn and(&self, later: &Self) -> Self {
        let both = |one: Option<Numbers>, other: Option<Numbers>| match (one, other) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
        Self {
            since_ms: self.since_ms,
            at_ms: later.at_ms,
            there: both(self.there, later.there),
            back: both(self.back, later.back),
        }
    }

    fn is_sound(&self) -> bool {
        self.since_ms > 0 && self.since_ms < self.at_ms
    }
}

/// Two that follow one another become one, once.
fn halved(all: &[Sample]) -> Vec<Sample> {
    let mut kept: Vec<Sample> = Vec::with_capacity(all.len());
    let mut is_single = false;
    for one in all {
        match kept.last_mut() {
            Some(last) if is_single && one.follows(last) => {
                *last = last.and(one);
                is_single = false;
            }
            _ => {
                kept.push(one.clone());
                is_single = true;
            }
        }
    }
    kept
}

/// At most so many, as far as stretches follow one another; the largest of each stays the largest.
pub fn thinned(mut all: Vec<Sample>, most: usize) -> Vec<Sample> {
    while all.len() > most {
        let fewer = halved(&all);
        if fewer.len() == all.len() {
            break;
        }
        all = fewer;
    }
    all
}

/// What a file holds, and how many of its lines are no samples. No file: nothing was kept here.
pub fn read(state_dir: &Path) -> io::Result<(Vec<Sample>, u64)> {
    let mut file = match File::open(state_dir.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let skip = length.saturating_sub(LARGEST);
    file.seek(SeekFrom::Start(skip))?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if skip > 0 {
        lines.next();
    }
    let (mut all, mut others): (Vec<Sample>, u64) = (Vec::new(), 0);
    for line in lines.filter(|line| !line.is_empty()) {
        let sample: Option<Sample> = serde_json::from_slice(line).ok();
        match sample.filter(Sample::is_sound) {
            // A clock that was set back tells nothing of when this was.
            Some(one) if all.last().is_none_or(|last| one.since_ms >= last.at_ms) => all.push(one),
            _ => others += 1,
        }
    }
    Ok((all, others))
}

/// Keeps samples of a running engine.
#[derive(Debug)]
pub struct Recorder(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// `None` once it could not be written.
    file: Option<File>,
    lines: usize,
    sample: Sample,
    /// Counts of the run until the last of it.
    counted: [Option<(u64, u64)>; 2],
    trouble: Option<String>,
}

impl Recorder {
    /// For an engine whose state is here.
    pub fn new(state_dir: &Path) -> Self {
        Self(Mutex::new(Inner {
            path: state_dir.join(FILE),
            file: None,
            lines: 0,
            sample: Sample::default(),
            counted: [None; 2],
            trouble: None,
        }))
    }

    /// Takes in what the engine says.
    pub fn note(&self, event: &Event) {
        let (way, progress) = match event {
            Event::Progress(progress) => (0, progress),
            Event::WayBack(progress) => (1, progress),
            _ => return,
        };
        self.lock().note(way, progress, clock::unix_millis());
    }

    /// Writes what is left, and answers why something was not written, if so.
    pub fn finish(&self) -> Option<String> {
        let mut inner = self.lock();
        inner.write();
        inner.trouble.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn note(&mut self, way: usize, progress: &Progress, now_ms: i64) {
        let late = now_ms - self.sample.at_ms;
        if self.sample.since_ms == 0 {
            (self.sample.since_ms, self.sample.at_ms) = (now_ms, now_ms);
        } else if !(0..=SLACK_MS).contains(&late) {
            // The machine slept, or its clock was set: what lies between was not seen.
            self.write();
            self.sample = Sample {
                since_ms: now_ms,
                at_ms: now_ms,
                ..Sample::default()
            };
        }
        self.sample.at_ms = now_ms;
        let counted = (progress.records, progress.bytes);
        let before = self.counted[way].replace(counted).unwrap_or_default();
        let numbers = Numbers {
            lag: progress.lag,
            behind_ms: progress.behind_ms,
            records: counted.0.saturating_sub(before.0),
            bytes: counted.1.saturating_sub(before.1),
            stopped: progress.stopped,
        };
        let of_it = [&mut self.sample.there, &mut self.sample.back];
        if let Some(slot) = of_it.into_iter().nth(way) {
            *slot = Some(slot.map_or(numbers, |so_far| so_far.and(numbers)));
        }
        if now_ms - self.sample.since_ms >= EVERY_MS {
            self.write();
        }
    }

    /// Writes the sample, and begins the next where it ends.
    fn write(&mut self) {
        let next = Sample {
            since_ms: self.sample.at_ms,
            at_ms: self.sample.at_ms,
            ..Sample::default()
        };
        let sample = std::mem::replace(&mut self.sample, next);
        if !sample.is_sound() || self.trouble.is_some() {
            return;
        }
        if let Err(error) = self.append(&sample) {
            self.trouble = Some(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ));
        }
    }

    fn append(&mut self, sample: &Sample) -> io::Result<()> {
        let mut line = serde_json::to_vec(sample)?;
        line.push(b'\n');
        if self.file.is_none() {
            self.open()?;
        }
        if self.lines >= MOST {
            self.thin()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
            self.lines += 1;
        }
        Ok(())
    }

    /// Behind a torn last line a new one is begun.
    fn open(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&self.path)?;
        let length = file.metadata()?.len();
        if length > 0 {
            file.seek(SeekFrom::Start(length - 1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        self.file = Some(file);
        let directory = self.path.parent().unwrap_or(Path::new("."));
        self.lines = match length > LARGEST {
            true => usize::MAX,
            false => {
                let (all, others) = read(directory)?;
                all.len() + usize::try_from(others).unwrap_or(usize::MAX)
            }
        };
        Ok(())
    }

    /// Writes the file anew with its older half thinned.
    fn thin(&mut self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let (mut all, _) = read(directory)?;
        let younger = all.split_off(all.len() / 2);
        let mut kept = halved(&all);
        kept.extend(younger);
        // Stretches that follow none are not put together: of so many the oldest go.
        kept.drain(..kept.len().saturating_sub(MOST * 4 / 5));
        let mut bytes = Vec::new();
        for one in &kept {
            serde_json::to_writer(&mut bytes, one)?;
            bytes.push(b'\n');
        }
        let aside = self.path.with_extension("jsonl.new");
        fs::write(&aside, &bytes)?;
        fs::rename(&aside, &self.path)?;
        self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        self.lines = kept.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
