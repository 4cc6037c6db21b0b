//! Which records are found again, and which are not mistaken for others.

use super::*;

fn seen(offset: i64, what: u128, is_copy: bool) -> Seen {
    Seen {
        offset,
        what,
        key: Some(what % 10),
        time: 1000 + offset,
        is_copy,
    }
}

/// Records of one side from their contents: `n` was written here, `-n` was copied here.
fn log(contents: &[i64]) -> Vec<Seen> {
    let one = |(offset, content): (usize, &i64)| {
        let what = content.unsigned_abs().into();
        Seen {
            time: 1000,
            ..seen(offset as i64, what, *content < 0)
        }
    };
    contents.iter().enumerate().map(one).collect()
}

fn found(here: &[i64], there: &[i64], compacts: bool) -> Option<i64> {
    let here = log(here);
    let run = Run::last_of(here.clone())?;
    let is_last = |record: &&Seen| !record.is_copy && record.what == run.last().what;
    let times = here.iter().filter(is_last).count();
    let mut search = Search::new(&run, times, compacts);
    log(there).iter().for_each(|record| search.see(record));
    search.found()
}

#[test]
fn the_last_record_is_found_once_all_before_it_are_there() {
    assert_eq!(found(&[1, 2, 3], &[-1, -2, -3], false), Some(2));
    assert_eq!(found(&[1, 2, 3], &[-1, -2], false), None);
    // What was written over there stands between, and says nothing; nor does the same record written there.
    assert_eq!(found(&[1, 2, 3], &[7, -1, 3, -2, 8, -3, 9], false), Some(5));
    assert_eq!(found(&[1, 2, 3], &[-1, -2, 3], false), None);
    // What was copied to this side is none of ours to find.
    assert_eq!(found(&[1, -8, 2, -9], &[8, -1, 9, -2], false), Some(3));
    assert_eq!(
        found(&[-8, -9], &[8, 9], false),
        None,
        "nothing was written here"
    );
}

#[test]
fn records_that_say_the_same_are_counted() {
    assert_eq!(found(&[1, 5, 5, 5], &[-1, -5, -5], false), None);
    assert_eq!(found(&[1, 5, 5, 5], &[-1, -5, -5, -5], false), Some(3));
    // The last one says what an earlier one said: the earlier one is not it.
    assert_eq!(found(&[5, 1, 2, 5], &[-5, -1, -2], false), None);
    assert_eq!(found(&[5, 1, 2, 5], &[-5, -1, -2, -5], false), Some(3));
    let (here, there): (Vec<i64>, Vec<i64>) = (vec![4; 100], vec![-4; 99]);
    assert_eq!(found(&here, &there, false), None);
    assert_eq!(found(&here, &[-4; 100], false), Some(99));
}

#[test]
fn what_was_copied_twice_is_found_all_the_same() {
    assert_eq!(found(&[1, 2, 3], &[-1, -2, -1, -2, -3], false), Some(4));
}

#[test]
fn a_compacted_log_may_lack_what_came_before_and_what_was_overwritten() {
    assert_eq!(found(&[1, 2, 3], &[-3], false), None);
    assert_eq!(found(&[1, 2, 3], &[-3], true), Some(0));
    // A later record of its key took its place.
    let run = Run::last_of(log(&[1, 2, 3])).unwrap();
    let later = Seen {
        time: 2000,
        ..seen(9, 13, false)
    };
    let search = |compacts| {
        let mut search = Search::new(&run, 1, compacts);
        search.see(&later);
        search.found()
    };
    assert_eq!(search(true), Some(9));
    assert_eq!(search(false), None);
}

fn first(unread: &[i64], there: &[i64], compacts: bool) -> First {
    let mut all = Unread::default();
    log(unread).iter().for_each(|record| all.add(record));
    log(there).iter().for_each(|record| all.see(record));
    all.first(compacts)
}

#[test]
fn the_first_unread_record_is_told_from_others_that_say_the_same() {
    assert_eq!(first(&[], &[-1], false), First::None);
    assert_eq!(first(&[3, 4], &[-1, -2, -3, -4], false), First::At(2));
    // Four in all, of which two are left to read.
    assert_eq!(first(&[5, 5], &[-5, -5, -5, -5], false), First::At(2));
    assert_eq!(
        first(&[5, 6, 5], &[-5, -1, -5, -6, -5], false),
        First::At(2)
    );
    // Copied twice: from the second copy on everything stands there once more.
    assert_eq!(first(&[2, 3], &[-1, -2, -3, -2, -3], false), First::At(3));
    assert_eq!(first(&[3, 4], &[-1, -2, 3, -4], false), First::Gone);
    assert_eq!(first(&[3, 4], &[-1, -2, 3, -4], true), First::At(3));
    assert_eq!(first(&[3, 4], &[-1, -2], true), First::None);
}

#[test]
fn the_original_of_a_copy_is_the_earliest_that_it_can_be() {
    assert_eq!(original(0, 1, &[7]), Some(7));
    assert_eq!(original(0, 1, &[]), None);
    // Three say the same, two of them were copied so far: the second copy is of the second.
    assert_eq!(original(1, 2, &[3, 5, 9]), Some(5));
    // One was copied twice: what looks like the third is of the second.
    assert_eq!(original(2, 3, &[3, 5]), Some(5));
    assert_eq!(original(0, 3, &[3, 5]), Some(3));
    assert_eq!(original(1, 3, &[3, 5]), Some(3));
}

#[test]
fn a_group_skips_nothing_and_what_it_reads_again_is_counted() {
    // On the other side: copies at 0, 2, 4, 6, written there 1, 3, 5, 7; read were the copies below 4 and those written there below 7.
    let exact = Exact {
        copies: Some(4),
        natives: Some(7),
        copies_below: 8,
        natives_below: 8,
    };
    assert_eq!(exact.offset(8), 4);
    let records: Vec<Seen> = (0..8).map(|at| seen(at, 1, at % 2 == 0)).collect();
    let again = |from: i64| {
        let read = records.iter().filter(|record| record.offset >= from);
        read.filter(|record| exact.was_read(record)).count()
    };
    assert_eq!((again(4), again(2), again(0)), (1, 3, 5));
    let all_read = Exact {
        copies: None,
        natives: None,
        ..exact
    };
    assert_eq!(all_read.offset(8), 8);
    assert!(records.iter().all(|record| all_read.was_read(record)));
    let later = seen(8, 1, false);
    assert!(!all_read.was_read(&later));
}

#[test]
fn a_run_is_the_last_records_that_were_written_here() {
    let records: Vec<Seen> = (0..100)
        .map(|at| seen(at, at as u128, at % 2 == 1))
        .collect();
    let run = Run::last_of(records).unwrap();
    assert_eq!(run.records.len(), RUN);
    assert_eq!(run.last().offset, 98);
    assert_eq!(run.since(), 1000 + 98 - 2 * (RUN as i64 - 1));
    assert_eq!(Run::last_of([seen(1, 1, true)]), None);
}
