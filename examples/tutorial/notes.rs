//! What each application noted down: one line for each record, in its order, in a file of its own for each time that it ran.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Where they lie.
const NOTES: &str = "applications/notes";

/// Numbers by partition, in the order in which they were noted down.
pub type Noted = BTreeMap<i32, Vec<u64>>;

/// A file that is written to, one line for each record.
pub struct Notes(File);

impl Notes {
    /// A new one: the files of an application are numbered in the order in which it ran.
    pub fn begin(application: &str, on: &str) -> io::Result<Self> {
        fs::create_dir_all(NOTES)?;
        let begun = files(application)?.len();
        let path = Path::new(NOTES).join(format!("{application}.{begun:04}.{on}"));
        File::options()
            .create_new(true)
            .append(true)
            .open(path)
            .map(Self)
    }

    /// Notes one down. It is not buffered here, so that a `kill -9` forgets none.
    pub fn write(&self, partition: i32, number: u64) -> io::Result<()> {
        (&self.0).write_all(format!("{partition} {number}\n").as_bytes())
    }
}

/// Everything that an application noted down.
pub fn of(application: &str) -> io::Result<Noted> {
    let mut noted = Noted::new();
    for name in files(application)? {
        let text = fs::read_to_string(Path::new(NOTES).join(name))?;
        // A line without its end is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let words = line.split_once(' ');
            let read =
                words.and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
            let (partition, number) =
                read.ok_or_else(|| io::Error::other(format!("no record: {line:?}")))?;
            noted.entry(partition).or_default().push(number);
        }
    }
    Ok(noted)
}

fn files(application: &str) -> io::Result<Vec<String>> {
    let stem = format!("{application}.");
    let mut names = Vec::new();
    for entry in fs::read_dir(NOTES)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&stem) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
