//! Counts: what was written, and how much of it each application was given: not at all, again, or before its turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    process::ExitCode,
    thread,
    time::Duration,
};

use crate::{
    notes::{self, Noted},
    work::APPLICATIONS,
};

/// What one application was given.
#[derive(Default)]
struct Counted {
    given: usize,
    lost: usize,
    again: u64,
    out_of_order: usize,
    to_come: usize,
}

/// Prints the count; where it is to wait, once nothing is to come any more.
pub fn run(wait: bool) -> ExitCode {
    loop {
        let (text, to_come) = match counted() {
            Ok(counted) => counted,
            Err(error) => {
                eprintln!("there is nothing to count: {error}");
                return ExitCode::FAILURE;
            }
        };
        if to_come == 0 || !wait {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The count as a person reads it, and how much is still to come.
fn counted() -> io::Result<(String, usize)> {
    let [orders, others @ ..] = APPLICATIONS;
    // Those that read are looked at before those that write: what comes meanwhile is to come.
    let mut given = Vec::new();
    for application in others.iter().rev() {
        given.push((*application, notes::of(application)?));
    }
    let mut written = notes::of(orders)?;
    let sent: usize = written.values().map(Vec::len).sum();
    let mut text = format!(
        "orders has written {sent} records\n\napplication            given  lost  again  out of order  to come\n"
    );
    let mut to_come = 0;
    for (application, given) in given.into_iter().rev() {
        let counted = Counted::of(&given, &written);
        text += &format!(
            "{application:<21}  {:>5}  {:>4}  {:>5}  {:>12}  {:>7}\n",
            counted.given, counted.lost, counted.again, counted.out_of_order, counted.to_come
        );
        to_come += counted.to_come;
        // It writes on what it is given, each time that it is.
        written = given;
    }
    Ok((text, to_come))
}

impl Counted {
    fn of(given: &Noted, written: &Noted) -> Self {
        let mut counted = Self::default();
        let none = Vec::new();
        for (partition, written) in written {
            let given = given.get(partition).unwrap_or(&none);
            counted.given += given.len();
            let mut seen = BTreeSet::new();
            for number in given {
                let is_new = seen.insert(*number);
                if is_new && seen.last() != Some(number) {
                    counted.out_of_order += 1;
                }
            }
            let (there, here) = (times(written), times(given));
            for (number, times) in &here {
                counted.again += times.saturating_sub(there.get(number).copied().unwrap_or(1));
            }
            let missing = there.keys().filter(|number| !seen.contains(number));
            // What lies behind everything that it has seen may be on its way.
            let (lost, to_come): (Vec<u64>, Vec<u64>) =
                missing.partition(|number| seen.last().is_some_and(|last| *number < last));
            counted.lost += lost.len();
            counted.to_come += to_come.len();
        }
        counted
    }
}

fn times(numbers: &[u64]) -> BTreeMap<u64, u64> {
    let mut times = BTreeMap::new();
    for number in numbers {
        *times.entry(*number).or_default() += 1;
    }
    times
}
