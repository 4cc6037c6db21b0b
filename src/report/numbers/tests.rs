//! Samples while an engine runs: bounded, thinned without losing what was largest, and read past whatever stands in the file.

use super::*;

fn progress(lag: u64, records: u64) -> Progress {
    Progress {
        lag,
        records,
        bytes: records * 100,
        behind_ms: Some(lag),
        ..Progress::default()
    }
}

fn recorder(directory: &Path) -> Inner {
    Recorder::new(directory).0.into_inner().unwrap()
}

/// So many seconds of an engine, from a moment on, a record a second.
fn runs(inner: &mut Inner, from_ms: i64, seconds: i64) {
    let so_far = inner.counted[0].unwrap_or_default().0;
    for second in 0..seconds {
        let count = so_far + second.unsigned_abs() + 1;
        inner.note(0, &progress(count % 97, count), from_ms + second * 1000);
        inner.note(1, &progress(3, count), from_ms + second * 1000 + 1);
    }
}

#[test]
fn samples_follow_one_another_and_a_gap_stays_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut inner = recorder(directory.path());
    runs(&mut inner, 1_000_000, 35);
    // The machine sleeps.
    runs(&mut inner, 5_000_000, 21);
    inner.write();
    let (all, others) = read(directory.path()).unwrap();
    assert_eq!(others, 0);
    let follows: Vec<bool> = all.windows(2).map(|two| two[1].follows(&two[0])).collect();
    assert_eq!(follows.iter().filter(|follows| !**follows).count(), 1);
    let records: u64 = all.iter().filter_map(|one| Some(one.there?.records)).sum();
    assert_eq!(records, 56, "each is counted once");
    assert_eq!(all[0].there.unwrap().lag, 11, "the largest of ten seconds");
    assert_eq!(all[0].back.unwrap().behind_ms, Some(3));
}

#[test]
fn a_torn_line_and_what_is_no_sample_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut inner = recorder(directory.path());
    runs(&mut inner, 1_000_000, 25);
    drop(inner);
    let path = directory.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    let whole = read(directory.path()).unwrap().0;
    bytes.extend(b"\xff\xfe garbage\n{\"since_ms\":9,\"at_ms\":1}\n[]\n{\"since_ms\":12345,\"at_m");
    fs::write(&path, bytes).unwrap();
    assert_eq!(read(directory.path()).unwrap(), (whole.clone(), 4));
    let mut inner = recorder(directory.path());
    runs(&mut inner, 2_000_000, 25);
    let (all, others) = read(directory.path()).unwrap();
    assert_eq!(others, 4);
    assert_eq!(all.len(), whole.len() + 2);
}

#[test]
fn there_are_never_more_than_a_bound_and_the_largest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let mut inner = recorder(directory.path());
    inner.note(0, &progress(1_000_000, 0), 999_000);
    let days: i64 = 4 * 24 * 3600 / 10;
    for step in 0..days {
        // One beat each five seconds is as long apart as may be.
        for half in [0, 5000] {
            let records = step.unsigned_abs();
            inner.note(
                0,
                &progress(step.unsigned_abs() % 90, records),
                1_000_000 + step * 10_000 + half,
            );
        }
        assert!(inner.lines <= MOST);
    }
    inner.write();
    let (all, _) = read(directory.path()).unwrap();
    assert!(all.len() <= MOST && all.len() > MOST / 2, "{}", all.len());
    assert!(all.windows(2).all(|two| two[1].follows(&two[0])));
    let records: u64 = all.iter().filter_map(|one| Some(one.there?.records)).sum();
    assert_eq!(records, days.unsigned_abs() - 1);
    assert_eq!(all[0].there.unwrap().lag, 1_000_000);
    let few = thinned(all, 300);
    assert!(few.len() <= 300);
    assert_eq!(few[0].there.unwrap().lag, 1_000_000);
}

#[test]
fn what_cannot_be_written_is_told_once_and_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(&directory.path().join("not there"));
    for _ in 0..3 {
        recorder.note(&Event::Progress(progress(1, 1)));
    }
    runs(&mut recorder.lock(), clock::unix_millis() + 1000, 30);
    assert!(
        recorder
            .finish()
            .is_some_and(|why| why.contains("numbers.jsonl"))
    );
    assert_eq!(recorder.finish(), None);
}
