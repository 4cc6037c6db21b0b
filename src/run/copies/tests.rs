//! Three copies while things go wrong: a process killed between any two of them, a cluster that is down, a directory that is lost, two runners.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use super::*;
use crate::{
    lock::tests::taken,
    run::{lock::RunnerLock, waiver::Waiver},
};

/// A topic in memory. Clones are the same topic.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    name: &'static str,
    made: bool,
    values: Vec<Vec<u8>>,
    down: bool,
    /// Appends until it goes down; then appended or not, and no answer.
    down_in: Option<(usize, bool)>,
}

impl Memory {
    fn new(name: &'static str) -> Self {
        let topic = Self::default();
        topic.lock().name = name;
        topic
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn set_down(&self, down: bool) {
        let inner = &mut *self.lock();
        (inner.down, inner.down_in) = (down, None);
    }

    fn lines(&self) -> Vec<Line> {
        let inner = self.lock();
        let lines = inner
            .values
            .iter()
            .filter_map(|value| Line::read(value).ok());
        lines.collect()
    }

    fn gone(inner: &Inner) -> Failure {
        Failure::new(Exit::Target, "K201", format!("{} is down", inner.name))
    }
}

impl Topic for Memory {
    fn name(&self) -> String {
        format!("the journal on the {}", self.lock().name)
    }

    async fn exists(&self) -> Result<bool, Failure> {
        let inner = self.lock();
        if inner.down {
            Err(Self::gone(&inner))
        } else {
            Ok(inner.made)
        }
    }

    async fn make(&self) -> Result<(), Failure> {
        let inner = &mut *self.lock();
        if inner.down {
            return Err(Self::gone(inner));
        }
        inner.made = true;
        Ok(())
    }

    async fn append(&self, value: &[u8]) -> Result<i64, Failure> {
        let inner = &mut *self.lock();
        assert!(
            inner.down || inner.made,
            "a topic is made before it is written"
        );
        if let Some((left, appended)) = &mut inner.down_in {
            if *left == 0 {
                inner.down = true;
                if *appended {
                    inner.values.push(value.to_vec());
                }
                inner.down_in = None;
                return Err(Self::gone(inner));
            }
            *left -= 1;
        }
        if inner.down {
            return Err(Self::gone(inner));
        }
        inner.values.push(value.to_vec());
        Ok(inner.values.len() as i64 - 1)
    }

    async fn read(&self, from: i64) -> Result<(Vec<Vec<u8>>, i64), Failure> {
        let inner = self.lock();
        if inner.down {
            return Err(Self::gone(&inner));
        }
        let from = usize::try_from(from).unwrap();
        Ok((inner.values[from..].to_vec(), inner.values.len() as i64))
    }
}

fn head() -> Head {
    Head {
        migration: "orders".into(),
        id: Uuid::new_v4(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    }
}

type Opened = Result<(Journal<Copies<Memory>>, Vec<String>), Failure>;

async fn open_in(state: &Path, lock: &RunnerLock, topics: [&Memory; 2], head: Head) -> Opened {
    let (local, lines) = Local::open(state)?;
    let topics = topics.map(Clone::clone).to_vec();
    open(local, lines, topics, head, lock.runner("test")).await
}

/// Opens, notes something, and leaves.
async fn note(state: &Path, topics: [&Memory; 2], gate: &str) -> Result<Vec<String>, Failure> {
    let lock = taken(|| RunnerLock::take(state));
    let (mut journal, notes) = open_in(state, &lock, topics, head()).await?;
    journal.append(waived(gate)).await?;
    journal.append(Record::Left).await?;
    Ok(notes)
}

fn waived(gate: &str) -> Record {
    Record::Waived(Waiver {
        gate: gate.into(),
        application: None,
        reason: "night shift".into(),
        by: "ann".into(),
        at_ms: 0,
    })
}

fn gates(lines: &[Line]) -> Vec<String> {
    let gates = lines.iter().filter_map(|line| match &line.record {
        Record::Waived(waiver) => Some(waiver.gate.clone()),
        _ => None,
    });
    gates.collect()
}

fn world() -> (tempfile::TempDir, Memory, Memory) {
    (
        tempfile::tempdir().unwrap(),
        Memory::new("target"),
        Memory::new("source"),
    )
}

#[tokio::test]
async fn a_lost_state_directory_is_rebuilt_and_the_copies_stay_the_same() {
    let (dir, target, source) = world();
    for (index, gate) in ["G1", "G2", "G3"].into_iter().enumerate() {
        // Each time on another machine, as it were.
        let state = dir.path().join(gate);
        let notes = note(&state, [&target, &source], gate).await.unwrap();
        assert_eq!(notes.len(), usize::from(index > 0), "{notes:?}");
        assert_eq!(target.lines(), source.lines());
        assert_eq!(Local::look(&state).unwrap(), target.lines());
    }
    assert_eq!(gates(&target.lines()), ["G1", "G2", "G3"]);
}

#[tokio::test]
async fn one_cluster_that_is_down_is_brought_up_to_date_later_and_two_stop_everything() {
    let (dir, target, source) = world();
    let state = dir.path().join("state");
    note(&state, [&target, &source], "G1").await.unwrap();
    for (down, gate) in [(&source, "G2"), (&target, "G3")] {
        down.set_down(true);
        let notes = note(&state, [&target, &source], gate).await.unwrap();
        assert!(notes[0].contains("is down"), "{notes:?}");
        down.set_down(false);
    }
    source.set_down(true);
    target.set_down(true);
    let failure = note(&state, [&target, &source], "G4").await.unwrap_err();
    assert_eq!((failure.exit, failure.code), (Exit::Target, "K440"));
    source.set_down(false);
    target.set_down(false);
    note(&state, [&target, &source], "G5").await.unwrap();
    assert_eq!(gates(&target.lines()), ["G1", "G2", "G3", "G5"]);
    assert_eq!(target.lines(), source.lines());
    assert_eq!(Local::look(&state).unwrap(), target.lines());
}

#[tokio::test]
async fn a_journal_is_not_begun_while_a_cluster_may_hold_one() {
    let (dir, target, source) = world();
    note(&dir.path().join("a"), [&target, &source], "G1")
        .await
        .unwrap();
    let held = target.lines();
    let empty = Memory::new("source");
    target.set_down(true);
    let refused = note(&dir.path().join("b"), [&target, &empty], "G2").await;
    assert!(
        refused
            .unwrap_err()
            .causes
            .last()
            .unwrap()
            .contains("cannot be known")
    );
    target.set_down(false);
    note(&dir.path().join("b"), [&target, &empty], "G2")
        .await
        .unwrap();
    assert!(target.lines().starts_with(&held));
    assert_eq!(
        target.lines(),
        empty.lines(),
        "the copy that was gone is made again"
    );
}

#[tokio::test]
async fn killed_between_any_two_copies_nothing_acknowledged_is_lost() {
    // After how many appends to which topic it ends, and whether the last one arrived.
    for appends in 0..6 {
        for (first, appended) in [(true, true), (true, false), (false, true), (false, false)] {
            let (dir, target, source) = world();
            let state = dir.path().join("state");
            note(&state, [&target, &source], "G1").await.unwrap();
            let breaks = if first { &target } else { &source };
            breaks.lock().down_in = Some((appends, appended));
            let lock = taken(|| RunnerLock::take(&state));
            let mut acknowledged = vec!["G1".to_owned()];
            if let Ok((mut journal, _)) = open_in(&state, &lock, [&target, &source], head()).await {
                for gate in ["G2", "G3"] {
                    if journal.append(waived(gate)).await.is_ok() {
                        acknowledged.push(gate.to_owned());
                    }
                }
            }
            drop(lock);
            for topic in [&target, &source] {
                topic.set_down(false);
            }
            // On another machine, then here again with the old file.
            note(&dir.path().join("elsewhere"), [&target, &source], "G8")
                .await
                .unwrap();
            note(&state, [&target, &source], "G9").await.unwrap();
            acknowledged.extend(["G8".to_owned(), "G9".to_owned()]);
            assert_eq!(
                gates(&target.lines()),
                acknowledged,
                "{appends} {first} {appended}"
            );
            let mut counted = Copy::open(source.clone()).await.unwrap();
            counted.catch_up().await.unwrap();
            assert_eq!(gates(&counted.lines), acknowledged);
            assert_eq!(Local::look(&state).unwrap(), counted.lines);
        }
    }
}

#[tokio::test]
async fn a_line_that_only_the_file_has_is_set_aside_where_others_went_on() {
    let (dir, target, source) = world();
    let state = dir.path().join("state");
    note(&state, [&target, &source], "G1").await.unwrap();
    // Killed between the file and the first topic.
    let (mut local, lines) = Local::open(&state).unwrap();
    local
        .append(&Line::after(lines.last(), waived("G2")))
        .unwrap();
    drop(local);
    note(&dir.path().join("elsewhere"), [&target, &source], "G3")
        .await
        .unwrap();
    let notes = note(&state, [&target, &source], "G4").await.unwrap();
    assert!(notes[0].contains("set aside"), "{notes:?}");
    assert_eq!(gates(&target.lines()), ["G1", "G3", "G4"]);
    assert_eq!(Local::look(&state).unwrap(), target.lines());
    let aside = std::fs::read_to_string(state.join("journal.aside")).unwrap();
    assert!(aside.contains("G2"));
}

#[tokio::test]
async fn a_runner_that_lives_is_not_taken_over_and_one_that_does_not_is() {
    let (dir, target, source) = world();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let lock = RunnerLock::take(&here).unwrap();
    let (mut journal, _) = open_in(&here, &lock, [&target, &source], head())
        .await
        .unwrap();
    let beating = journal.store().beat();
    let refused = note(&there, [&target, &source], "G2").await.unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Refused, "K434"));
    // On the same machine the lock says it at once.
    assert_eq!(RunnerLock::take(&here).unwrap_err().code, "K401");
    // It falls silent, as by a pause, and is taken over.
    drop(beating);
    note(&there, [&target, &source], "G3").await.unwrap();
    // Its next line tells it, and nothing comes of it.
    let refused = journal.append(waived("G4")).await.unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Refused, "K435"));
    let refused = journal.append(waived("G5")).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Bug, "nothing may follow it");
    drop((journal, lock));
    note(&here, [&target, &source], "G6").await.unwrap();
    let copy = Copy::open(target.clone()).await.unwrap();
    assert_eq!(gates(&copy.lines), ["G3", "G6"]);
}

#[tokio::test]
async fn two_journals_of_one_migration_wait_for_a_person() {
    let (dir, target, source) = world();
    note(&dir.path().join("a"), [&target, &source], "G1")
        .await
        .unwrap();
    // Each of two machines sees one cluster.
    source.set_down(true);
    note(&dir.path().join("a"), [&target, &source], "G2")
        .await
        .unwrap();
    source.set_down(false);
    target.set_down(true);
    note(&dir.path().join("b"), [&target, &source], "G3")
        .await
        .unwrap();
    target.set_down(false);
    for state in ["a", "b", "c"] {
        let refused = note(&dir.path().join(state), [&target, &source], "G4")
            .await
            .unwrap_err();
        assert_eq!((refused.exit, refused.code), (Exit::Attention, "K433"));
        assert!(
            refused.causes.iter().any(|cause| cause.contains("says")),
            "{refused:?}"
        );
    }
    // A person lets one of them count.
    *source.lock() = Inner {
        name: "source",
        ..Inner::default()
    };
    note(&dir.path().join("c"), [&target, &source], "G5")
        .await
        .unwrap();
    assert_eq!(gates(&source.lines()), ["G1", "G2", "G5"]);
}

#[tokio::test]
async fn foreign_damaged_newer_and_beheaded_journals_are_refused_and_left_alone() {
    let (dir, target, source) = world();
    let state = dir.path().join("state");
    note(&state, [&target, &source], "G1").await.unwrap();
    let refused = async |change: fn(&mut Inner)| {
        let bad = Memory::new("target");
        bad.lock().made = true;
        bad.lock().values = target.lock().values.clone();
        change(&mut bad.lock());
        let before = bad.lock().values.clone();
        let failure = note(&state, [&bad, &source], "G2").await.unwrap_err();
        assert_eq!(bad.lock().values, before);
        (failure.exit, failure.code)
    };
    let damaged = refused(|inner| inner.values[1][30] ^= 1).await;
    assert_eq!(damaged, (Exit::Refused, "K429"));
    let foreign = refused(|inner| inner.values.push(b"hello".to_vec())).await;
    assert_eq!(foreign, (Exit::Refused, "K429"));
    let missing = refused(|inner| drop(inner.values.remove(1))).await;
    assert_eq!(missing, (Exit::Refused, "K429"));
    let beheaded = refused(|inner| drop(inner.values.remove(0))).await;
    assert_eq!(beheaded, (Exit::Refused, "K445"));
    let newer = refused(|inner| {
        use sha2::Digest as _;
        let json = r#"{"v":3,"n":4}"#;
        let sum = crate::run::plan::hex(&sha2::Sha256::digest(json)[..8]);
        inner.values.push(format!("{sum} {json}").into_bytes());
    });
    assert_eq!(newer.await, (Exit::Refused, "K431"));

    // Another migration's, other clusters'.
    let lock = taken(|| RunnerLock::take(&state));
    for change in [
        (|head: &mut Head| head.migration = "payments".into()) as fn(&mut Head),
        |head| head.source = "Ccc".into(),
        |head| head.target = "Ccc".into(),
    ] {
        let mut head = head();
        change(&mut head);
        let refused = open_in(&state, &lock, [&target, &source], head)
            .await
            .unwrap_err();
        assert_eq!((refused.exit, refused.code), (Exit::Refused, "K432"));
        assert_eq!(refused.causes.len(), 1);
    }
}
