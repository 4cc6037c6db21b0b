//! What counts in a ledger, and that a snapshot says the same again.

use super::{
    super::record::{
        Beyond, Checkpoint, Epoch, Gap, HeldSetting, HeldStage, Limit, Recopy, Run, Seam, Stopped,
        Trimmed,
    },
    partition::RUNS_KEPT,
    *,
};

const AT: At = At {
    topic: 0,
    partition: 3,
};

fn owner(process: u32) -> Owner {
    Owner {
        host: "here".to_owned(),
        machine: "m".to_owned(),
        process,
        lock: "/lock".to_owned(),
        version: "1".to_owned(),
    }
}

fn record(generation: u64, run: u64, entries: Vec<Entry>) -> Record {
    Record {
        generation,
        run,
        entries,
    }
}

fn claim(generation: u64, run: u64) -> Record {
    record(generation, run, vec![Entry::Claim(owner(run as u32))])
}

fn identity(number: u32) -> Entry {
    Entry::Identity {
        number,
        producer_id: 40 + i64::from(number),
        epoch: 3,
        fences: Vec::new(),
    }
}

fn run(identity: u32, sequence: u64, offset: i64) -> Entry {
    let run = Run {
        identity,
        sequence,
        offset,
    };
    Entry::Run { at: AT, run }
}

fn checkpoint(identity: u32, next_sequence: u64, source: i64) -> Entry {
    let checkpoint = Checkpoint {
        identity,
        next_sequence,
        source,
        target: source + 1000,
        source_epoch: 4,
    };
    Entry::Checkpoint { at: AT, checkpoint }
}

fn given_up(from: i64, to: i64) -> Entry {
    let to = Beyond {
        source: to,
        epoch: 6,
    };
    let gap = Gap {
        code: "overtaken".to_owned(),
        from,
        to,
        by: "somebody".to_owned(),
        at_ms: 77,
    };
    Entry::Gap { at: AT, gap }
}

fn trimmed(from: i64, to: i64, times: u64) -> Entry {
    let trimmed = Trimmed {
        group: "sums".to_owned(),
        committed: to,
        from,
        to,
        offsets: times * 7,
        times,
        at_ms: 79,
    };
    Entry::Trimmed { at: AT, trimmed }
}

fn copied_again() -> Entry {
    let recopy = Recopy {
        code: "cut off".to_owned(),
        from: 31,
        by: "somebody".to_owned(),
        at_ms: 78,
    };
    Entry::Recopy { at: AT, recopy }
}

fn recopied() -> Entry {
    let seam = Seam {
        source_start: 3,
        source_end: 90,
        target_start: 400,
        target_end: 400,
    };
    let Entry::Checkpoint { checkpoint, .. } = checkpoint(1, 0, 3) else {
        unreachable!("it is one");
    };
    Entry::Recopied {
        at: AT,
        seam,
        checkpoint,
    }
}

fn held(topic: u32, stage: HeldStage) -> Entry {
    let setting = HeldSetting {
        name: "retention.ms".to_owned(),
        before: None,
        held: "-1".to_owned(),
    };
    let held = Held {
        settings: vec![setting],
        stage,
        since_ms: 9,
    };
    Entry::Held { topic, held }
}

fn fold(records: Vec<Record>) -> State {
    let mut state = State::default();
    for (offset, record) in (0..).zip(records) {
        state.apply(record, offset);
    }
    state
}

#[test]
fn records_of_an_owner_that_was_overtaken_do_not_count() {
    let state = fold(vec![
        claim(1, 11),
        record(1, 11, vec![identity(0)]),
        claim(2, 22),
        record(1, 11, vec![identity(1)]),
        record(2, 22, vec![identity(2)]),
    ]);
    let numbers: Vec<u32> = state.identities.keys().copied().collect();
    assert_eq!(numbers, [0, 2]);
}

#[test]
fn a_snapshot_of_an_overtaken_owner_does_not_take_the_ledger_back() {
    let mut state = fold(vec![claim(1, 11), record(1, 11, vec![identity(0)])]);
    let late = record(1, 11, state.entries());
    state.apply(claim(2, 22), 2);
    assert!(!state.apply(late.clone(), 3));
    assert_eq!(state.claim.as_ref().map(|claim| claim.run), Some(22));
    // Alone at the log start, as after a trim, it is all there is.
    assert!(State::default().apply(late, 9));
}

#[test]
fn of_two_claims_to_one_generation_the_first_wins() {
    let state = fold(vec![claim(1, 11), claim(2, 22), claim(2, 33)]);
    assert_eq!(state.claim.map(|claim| claim.run), Some(22));
}

#[test]
fn an_identity_is_open_until_it_is_sealed_or_fenced() {
    let mut state = fold(vec![
        claim(1, 11),
        record(1, 11, vec![identity(0), identity(1)]),
    ]);
    assert_eq!(state.standing(Standing::Open), [0, 1]);
    state.take(Entry::Fenced { number: 0 });
    state.take(Entry::Sealed { number: 1 });
    assert_eq!(state.standing(Standing::Sealed), [1]);
    assert!(state.ended);
    state.apply(claim(2, 22), 5);
    assert!(!state.ended);
    assert_eq!(
        state.standing(Standing::Sealed),
        [1],
        "a claim opens nothing"
    );
    state.take(Entry::Continued { number: 1 });
    assert_eq!(state.standing(Standing::Open), [1]);
}

#[test]
fn a_sequence_is_found_in_the_run_that_holds_it() {
    let state = fold(vec![
        claim(1, 11),
        record(
            1,
            11,
            vec![identity(0), run(0, 0, 100), run(0, 10, 150), run(1, 0, 300)],
        ),
    ]);
    let partition = &state.partitions[&AT];
    assert_eq!(partition.source_of(0, 9), Some(109));
    assert_eq!(partition.source_of(0, 10), Some(150));
    assert_eq!(partition.source_of(0, 25), Some(165));
    assert_eq!(partition.source_of(1, 2), Some(302));
    assert_eq!(partition.source_of(2, 0), None);
    assert!(partition.has_run(1) && !partition.has_run(2));
}

#[test]
fn a_run_that_was_never_sent_may_be_declared_anew() {
    let state = fold(vec![
        claim(1, 11),
        record(
            1,
            11,
            vec![run(0, 0, 100), run(0, 10, 150), run(0, 20, 170)],
        ),
        record(1, 11, vec![run(0, 10, 155)]),
    ]);
    let partition = &state.partitions[&AT];
    assert_eq!(partition.source_of(0, 20), Some(165));
}

#[test]
fn the_runs_that_recovery_needs_are_never_trimmed() {
    let mut entries: Vec<Entry> = (0..500u64)
        .map(|at| run(0, at * 10, at as i64 * 20))
        .collect();
    entries.push(checkpoint(0, 1000, 2000));
    let state = fold(vec![claim(1, 11), record(1, 11, entries)]);
    let partition = &state.partitions[&AT];
    for sequence in 999..5000u64 {
        let expected = (sequence / 10 * 20 + sequence % 10) as i64;
        assert_eq!(partition.source_of(0, sequence), Some(expected));
    }
    let mut state = state;
    state.take(checkpoint(0, 4900, 9800));
    let kept = state.partitions[&AT].runs.len();
    assert!(kept <= RUNS_KEPT + 2, "{kept} runs are kept");
}

fn epoch(number: i32, source: i64) -> Entry {
    let epoch = Epoch { number, source };
    Entry::Epoch { at: AT, epoch }
}

#[test]
fn a_snapshot_says_what_the_ledger_said() {
    let topic = |number: u32, name: &str| Entry::Topic {
        number,
        name: name.to_owned(),
        source_id: Uuid::from_u128(1),
        target_id: Uuid::from_u128(2),
    };
    let seam = Seam {
        source_start: 1,
        source_end: 2,
        target_start: 3,
        target_end: 3,
    };
    let stopped = Stopped {
        code: "holes".to_owned(),
        reason: "holes".to_owned(),
        source: 7,
        since_ms: 9,
        beyond: Some(Beyond {
            source: 9,
            epoch: 2,
        }),
    };
    let [gap, recopy] = [given_up(13, 20), copied_again()];
    let state = fold(vec![
        claim(1, 11),
        record(
            1,
            11,
            vec![
                identity(0),
                identity(1),
                Entry::Fenced { number: 0 },
                retired(0, Some(5)),
                topic(0, "orders"),
                topic(1, "payments"),
                Entry::Seam { at: AT, seam },
                run(0, 0, 5),
                run(1, 0, 9),
                checkpoint(1, 4, 13),
                gap,
                recopy,
                recopied(),
                epoch(2, 20),
                epoch(5, 25),
                run(1, 4, 30),
                checkpoint(1, 5, 31),
                Entry::Current { at: AT, at_ms: 17 },
                Entry::Stopped { at: AT, stopped },
                held(0, HeldStage::Restoring),
                held(1, HeldStage::Holding),
                Entry::LetGo { topic: 1 },
            ],
        ),
    ]);
    let snapshot = record(1, 11, state.entries());
    let mut alone = State::default();
    assert!(alone.apply(snapshot.clone(), 0));
    let mut repeated = state.clone();
    assert!(repeated.apply(snapshot, 2));
    for again in [alone, repeated] {
        assert_eq!(again.identities, state.identities);
        assert_eq!(again.retired, state.retired);
        assert_eq!(again.topics, state.topics);
        assert_eq!(again.numbers, state.numbers);
        assert_eq!(again.held, state.held);
        assert_eq!(again.partitions, state.partitions);
        assert_eq!(again.claim.map(|claim| claim.run), Some(11));
    }
}

#[test]
fn what_its_owner_had_read_moves_the_checkpoint_at_its_beginning_and_is_counted_once() {
    let place = |state: &State| {
        let checkpoint = state.partitions[&AT].checkpoint.unwrap();
        (checkpoint.source, checkpoint.source_epoch)
    };
    let count = |state: &State| {
        state.partitions[&AT]
            .trimmed
            .as_ref()
            .map(|one| one.offsets)
    };
    let stopped = Entry::Stopped {
        at: AT,
        stopped: Stopped {
            code: "overtaken".to_owned(),
            reason: "whatever".to_owned(),
            source: 13,
            since_ms: 5,
            beyond: None,
        },
    };
    let all = vec![
        identity(0),
        run(0, 0, 0),
        checkpoint(0, 13, 13),
        stopped,
        trimmed(13, 20, 1),
    ];
    let mut state = fold(vec![claim(1, 11), record(1, 11, all)]);
    assert_eq!((place(&state), count(&state)), ((20, -1), Some(7)));
    // A stop is over when the partition has got past it, which the engine says.
    assert!(state.partitions[&AT].stopped.is_some());
    state.take(trimmed(13, 20, 1));
    assert_eq!((place(&state), count(&state)), ((20, -1), Some(7)));
    state.take(checkpoint(0, 15, 22));
    state.take(trimmed(22, 40, 2));
    assert_eq!((place(&state), count(&state)), ((40, -1), Some(14)));
    // From elsewhere nothing is passed over.
    state.take(checkpoint(0, 16, 41));
    state.take(trimmed(40, 50, 3));
    assert_eq!(place(&state), (41, 4));
    let mut alone = State::default();
    for entry in state.entries() {
        alone.take(entry);
    }
    assert_eq!(alone.partitions, state.partitions);
}

#[test]
fn a_gap_moves_the_checkpoint_at_its_beginning_and_only_once() {
    let begin = |entries| {
        let mut all = vec![identity(0), run(0, 0, 0), checkpoint(0, 13, 13)];
        all.extend(entries);
        fold(vec![claim(1, 11), record(1, 11, all)])
    };
    let place = |state: &State| {
        let checkpoint = state.partitions[&AT].checkpoint.unwrap();
        (checkpoint.source, checkpoint.source_epoch)
    };
    let state = begin(vec![given_up(13, 20)]);
    assert_eq!(place(&state), (20, 6));
    assert_eq!(state.partitions[&AT].gaps.len(), 1);
    // Nothing is passed over from elsewhere.
    assert_eq!(place(&begin(vec![given_up(12, 20)])), (13, 4));
    // A source that was cut off: back to 5, and on past 13 once more. What is said again does not lead back again.
    let mut state = begin(vec![given_up(13, 5), checkpoint(0, 21, 13)]);
    assert_eq!(place(&state), (13, 4));
    state.take(given_up(13, 5));
    assert_eq!(place(&state), (13, 4));
    let mut alone = State::default();
    alone.apply(record(1, 11, state.entries()), 0);
    assert_eq!(place(&alone), (13, 4));
}

#[test]
fn epochs_of_a_source_that_was_cut_off_are_forgotten_with_its_records() {
    let epochs = |state: &State| state.partitions[&AT].epochs.clone();
    let mut state = fold(vec![
        claim(1, 11),
        record(1, 11, vec![epoch(2, 0), epoch(5, 8), checkpoint(0, 13, 13)]),
    ]);
    state.take(given_up(12, 5));
    assert_eq!(epochs(&state), [(2, 0), (5, 8)].into_iter().collect());
    state.take(given_up(13, 5));
    assert_eq!(epochs(&state), [(2, 0)].into_iter().collect());
    state.take(copied_again());
    state.take(recopied());
    assert_eq!(epochs(&state), Epochs::default());
}

#[test]
fn a_new_copy_forgets_the_old_ones_runs_and_only_once() {
    let mut state = fold(vec![
        claim(1, 11),
        record(
            1,
            11,
            vec![
                identity(0),
                run(0, 0, 0),
                checkpoint(0, 31, 31),
                copied_again(),
            ],
        ),
    ]);
    assert!(state.partitions[&AT].recopying && state.partitions[&AT].has_run(0));
    let half_way = record(1, 11, state.entries());
    state.apply(half_way, 2);
    assert!(state.partitions[&AT].recopying, "a snapshot begins nothing");
    for entry in [recopied(), identity(1), run(1, 0, 3)] {
        state.take(entry);
    }
    let partition = &state.partitions[&AT];
    assert!(!partition.recopying && !partition.has_run(0) && partition.has_run(1));
    assert_eq!(
        partition.checkpoint.map(|checkpoint| checkpoint.source),
        Some(3)
    );
    state.take(recopied());
    assert!(
        state.partitions[&AT].has_run(1),
        "a snapshot that was cut short"
    );
}

fn retired(number: u32, marked_ms: Option<i64>) -> Entry {
    let retired = marked_ms.map(|marked_ms| Retired {
        since_ms: 5,
        marked_ms,
        partitions: vec![AT],
    });
    Entry::Retired { number, retired }
}

#[test]
fn a_fenced_identity_is_kept_out_until_it_need_not_be() {
    let marked = |state: &State| state.retired.get(&0).map(|retired| retired.marked_ms);
    let mut state = fold(vec![claim(1, 11), record(1, 11, vec![retired(0, Some(5))])]);
    assert_eq!(marked(&state), Some(5));
    assert!(state.apply(record(1, 11, vec![retired(0, Some(9))]), 2));
    assert_eq!(marked(&state), Some(9));
    assert!(state.apply(record(1, 11, vec![retired(0, None)]), 3));
    assert_eq!(marked(&state), None);
}

#[test]
fn settings_are_held_until_they_are_let_go() {
    let mut state = fold(vec![claim(1, 11)]);
    for stage in [
        HeldStage::Intended,
        HeldStage::Holding,
        HeldStage::Restoring,
    ] {
        state.take(held(3, stage));
        let known: Vec<_> = state
            .held
            .iter()
            .map(|(topic, one)| (*topic, one.stage))
            .collect();
        assert_eq!(known, [(3, stage)]);
    }
    state.take(Entry::LetGo { topic: 4 });
    assert_eq!(state.held.len(), 1);
    state.take(Entry::LetGo { topic: 3 });
    assert!(state.held.is_empty() && !format!("{:?}", state.entries()).contains("Held"));
}

fn asked(id: u128, steer: Steer) -> Record {
    let request = Request {
        id: Uuid::from_u128(id),
        steer,
        by: "ann".into(),
        at_ms: 0,
    };
    record(0, 0, vec![Entry::Request(request)])
}

fn answer(id: u128) -> Entry {
    Entry::Answer(Answer {
        id: Uuid::from_u128(id),
        said: "done".into(),
        at_ms: 0,
    })
}

fn open(state: &State) -> Vec<u128> {
    let open = state.unanswered.iter();
    open.map(|one| one.request.id.as_u128()).collect()
}

#[test]
fn a_request_counts_whoever_wrote_it_and_is_nobodys_sign_of_life() {
    let mut state = fold(vec![claim(1, 11)]);
    assert!(
        !state.apply(asked(1, Steer::Pause), 1),
        "it is no record of the owner's"
    );
    assert!(state.is_paused());
    assert_eq!(state.claim.as_ref().map(|claim| claim.run), Some(11));
    // Without any owner too: it was asked while no engine was there.
    let mut alone = State::default();
    assert!(!alone.apply(asked(1, Steer::Pause), 0));
    assert!(alone.is_paused() && alone.claim.is_none());
    // An owner that was overtaken answers nothing.
    state.apply(claim(2, 22), 2);
    state.apply(record(1, 11, vec![answer(1)]), 3);
    assert_eq!(open(&state), [1]);
    state.apply(record(2, 22, vec![answer(1)]), 4);
    assert!(open(&state).is_empty());
    assert!(
        state.is_paused(),
        "it stands after its answer, and for the next engine"
    );
}

#[test]
fn of_requests_the_last_counts_and_one_that_stands_there_twice_is_one() {
    let mut state = fold(vec![
        claim(1, 11),
        asked(1, Steer::Pause),
        asked(2, Steer::Throttle(Limit::Fixed(7))),
        asked(3, Steer::Resume),
        // Once more after an unknown outcome.
        asked(1, Steer::Pause),
    ]);
    assert!(!state.is_paused());
    assert_eq!(open(&state), [1, 2, 3]);
    state.apply(record(1, 11, vec![answer(1), answer(2), answer(3)]), 5);
    state.apply(asked(1, Steer::Pause), 6);
    assert!(!state.is_paused() && open(&state).is_empty());
}

#[test]
fn a_snapshot_says_requests_again_and_one_that_came_in_between_wins() {
    let mut state = fold(vec![
        claim(1, 11),
        asked(1, Steer::Pause),
        asked(2, Steer::Throttle(Limit::Auto)),
    ]);
    let snapshot = record(1, 11, state.entries());
    let mut alone = State::default();
    assert!(alone.apply(snapshot.clone(), 3));
    assert!(alone.is_paused());
    assert_eq!(alone.throttle, state.throttle);
    assert_eq!(open(&alone), [1, 2]);
    // A resume landed before the snapshot that was made without it: trimmed or not, it goes on.
    state.apply(asked(3, Steer::Resume), 3);
    state.apply(snapshot.clone(), 4);
    let mut trimmed = State::default();
    trimmed.apply(asked(3, Steer::Resume), 3);
    trimmed.apply(snapshot, 4);
    for state in [state, trimmed] {
        assert!(!state.is_paused());
        let mut ids = open(&state);
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
    }
}

#[test]
fn requests_without_end_take_no_memory_without_end() {
    let mut state = fold(vec![claim(1, 11)]);
    for id in 1..1000 {
        state.apply(asked(id, Steer::Pause), i64::try_from(id).unwrap());
        state.apply(record(1, 11, vec![answer(id - 1)]), 0);
    }
    assert!(state.unanswered.len() <= 64 && state.answers.len() <= 64);
}
