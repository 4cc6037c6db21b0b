//! What may be asked for, what is refused, and that nothing is decided twice.

use uuid::Uuid;

use super::{decide::What, *};
use crate::engine::ledger::{
    record::{At, Beyond, Entry, Seam},
    state::State,
};

fn stop(partition: i32, code: u16, source: i64, beyond: Option<i64>) -> Entry {
    let stopped = Stopped {
        code: format!("K{code}"),
        reason: String::new(),
        source,
        since_ms: 5,
        beyond: beyond.map(|source| Beyond { source, epoch: -1 }),
    };
    Entry::Stopped {
        at: At {
            topic: 0,
            partition,
        },
        stopped,
    }
}

fn ledger(entries: &[Entry]) -> State {
    let mut state = State::default();
    state.take(Entry::Topic {
        number: 0,
        name: "orders".to_owned(),
        source_id: Uuid::nil(),
        target_id: Uuid::nil(),
    });
    entries.iter().cloned().for_each(|entry| state.take(entry));
    state
}

fn ask(words: &[&str], states: &[&State]) -> Result<Decisions, Vec<String>> {
    let asked: Vec<Asked> = words
        .iter()
        .map(|word| {
            let (flag, word) = word.split_once(' ').unwrap();
            let way = [Way::AcceptGap, Way::Recopy].map(|way| (way.flag(), way));
            let way = way.iter().find(|(name, _)| *name == flag).unwrap().1;
            let asked = Asked::parse(way, word).unwrap();
            assert_eq!(
                asked.to_string().replace("/1", ""),
                format!("{flag} {word}")
            );
            asked
        })
        .collect();
    let keep = globset::GlobSet::empty();
    decide(&asked, "ann", 9, states, &keep).map_err(|failure| {
        let mut all = failure.causes.clone();
        all.push(failure.message);
        all
    })
}

#[track_caller]
fn refuses(words: &[&str], state: &State, says: &[&str]) {
    let said = ask(words, &[state]).unwrap_err();
    for text in says {
        assert!(
            said.iter().any(|said| said.contains(text)),
            "{text}: {said:?}"
        );
    }
}

#[test]
fn a_way_is_decided_for_the_stop_that_is_there() {
    let one = ledger(&[stop(0, 501, 100, Some(200))]);
    let other = ledger(&[stop(1, 505, 7, None)]);
    let words = ["--accept-gap orders:0@100", "--recopy orders:1"];
    let decided = ask(&words, &[&one, &other]).unwrap();
    let [gap, recopy] = &decided.all[..] else {
        panic!("{decided:?}");
    };
    assert!(
        matches!(&gap.what, What::Gap(gap) if (gap.from, gap.to.source, &*gap.by, gap.at_ms) == (100, 200, "ann", 9))
    );
    assert!(matches!(&recopy.what, What::Recopy(recopy) if recopy.from == 7));
    assert_eq!((gap.shard, recopy.shard), (0, 1));
    assert!(still_holds(gap, &one) && !still_holds(gap, &other));
}

#[test]
fn what_cannot_be_is_refused_with_what_can_and_all_of_it_at_once() {
    let state = ledger(&[
        stop(0, 501, 100, Some(200)),
        stop(1, 514, 3, Some(9)),
        stop(2, 516, 3, None),
        stop(3, 505, 3, None),
        stop(4, 507, 3, None),
        Entry::Resumed {
            at: At {
                topic: 0,
                partition: 5,
            },
        },
    ]);
    refuses(&["--accept-gap nobody:0"], &state, &["nobody:0"]);
    refuses(&["--accept-gap orders:6"], &state, &["no such partition"]);
    refuses(
        &["--accept-gap orders:5"],
        &state,
        &["orders-5 has not stopped"],
    );
    refuses(
        &["--accept-gap orders:0@99"],
        &state,
        &["elsewhere", "--accept-gap orders:0@100"],
    );
    refuses(
        &["--accept-gap orders:2"],
        &state,
        &["no end that can be read"],
    );
    refuses(&["--accept-gap orders:3"], &state, &["with --recopy"]);
    refuses(&["--recopy orders:1"], &state, &["with --accept-gap"]);
    refuses(&["--recopy orders:4"], &state, &["on the source"]);
    refuses(
        &["--accept-gap orders:0", "--recopy orders:0"],
        &state,
        &["already named"],
    );
    refuses(
        &[
            "--accept-gap orders:5",
            "--recopy orders:1",
            "--accept-gap a:1",
        ],
        &state,
        &["3 of the ways", "orders:5", "orders:1", "a:1"],
    );
}

#[test]
fn nothing_is_decided_twice() {
    let stopped = stop(0, 502, 100, Some(80));
    let mut state = ledger(std::slice::from_ref(&stopped));
    let decided = ask(&["--accept-gap orders:0"], &[&state]).unwrap();
    for entry in decided.all[0].entries() {
        state.take(entry);
    }
    // Not while it goes on, and not when it stops again: elsewhere, or at the same offset.
    let quiet = |words: &[&str], state: &State| {
        let decided = ask(words, &[state]).unwrap();
        assert!(
            decided.all.is_empty() && !decided.notes.is_empty(),
            "{words:?}: {decided:?}"
        );
        decided.notes[0].clone()
    };
    for word in ["--accept-gap orders:0", "--accept-gap orders:0@100"] {
        quiet(&[word], &state);
    }
    state.take(stop(0, 501, 300, Some(400)));
    for word in ["--accept-gap orders:0", "--accept-gap orders:0@100"] {
        let note = quiet(&[word], &state);
        assert!(note.contains("`--accept-gap orders:0@300`"), "{note}");
    }
    state.take(stopped);
    let note = quiet(&["--accept-gap orders:0@100"], &state);
    assert!(note.contains("`--accept-gap orders:0@100/2`"), "{note}");
    assert_eq!(
        ask(&["--accept-gap orders:0@100/2"], &[&state])
            .unwrap()
            .all
            .len(),
        1
    );
    let name = TopicPartition::new("orders", 0);
    let stopped = state.partitions.values().next().unwrap().stopped.clone();
    let choices = choices(
        &name,
        &stopped.unwrap(),
        Before {
            here: 1,
            recopies: 0,
            kept: None,
        },
    );
    assert!(
        choices[0]
            .command
            .as_ref()
            .unwrap()
            .ends_with("orders:0@100/2")
    );
}

#[test]
fn a_topic_that_was_made_anew_is_copied_again_as_a_whole() {
    let one = ledger(&[stop(0, 503, 100, None), stop(2, 503, 0, None)]);
    let other = ledger(&[stop(1, 503, 7, None)]);
    let said = ask(&["--recopy orders:0", "--recopy orders:2"], &[&one, &other]).unwrap_err();
    assert!(
        said[0].contains("orders-1 is not among") && said[0].contains("`--recopy orders`"),
        "{said:?}"
    );
    let all = ask(&["--recopy orders"], &[&one, &other]).unwrap().all;
    let numbers: Vec<i32> = all.iter().map(|one| one.name.partition).collect();
    assert_eq!(numbers, [0, 1, 2]);
    refuses(&["--accept-gap orders:0"], &one, &["`--recopy orders`"]);
    // And a second time.
    let mut one = ledger(&[stop(0, 503, 100, None)]);
    for entry in ask(&["--recopy orders"], &[&one]).unwrap().all[0].entries() {
        one.take(entry);
    }
    one.take(stop(0, 503, 100, None));
    for word in ["--recopy orders", "--recopy orders:0@100"] {
        let again = ask(&[word], &[&one]).unwrap();
        assert!(
            again.all.is_empty() && again.notes[0].contains("`--recopy orders@2`"),
            "{again:?}"
        );
    }
    assert_eq!(ask(&["--recopy orders@2"], &[&one]).unwrap().all.len(), 1);
}

#[test]
fn words_that_name_no_partition_are_refused() {
    for word in [
        "",
        "orders",
        ":1",
        "orders:",
        "orders:-1",
        "orders:x",
        "orders:1@",
        "orders:1@x",
        "orders:1@-1",
        "orders:1@1/0",
        "or ders:1",
    ] {
        let refused = Asked::parse(Way::AcceptGap, word).unwrap_err();
        assert!(
            refused.to_string().starts_with("--accept-gap "),
            "{refused}"
        );
    }
    for word in ["orders@0", "orders@1/2", "orders@x"] {
        assert!(Asked::parse(Way::Recopy, word).is_err());
    }
    assert!(Asked::parse(Way::Recopy, "orders").is_ok());
}

#[test]
fn what_is_to_stay_on_the_target_is_never_deleted() {
    let seam = Seam {
        source_start: 0,
        source_end: 9,
        target_start: 5,
        target_end: 8,
    };
    let at = At {
        topic: 0,
        partition: 0,
    };
    let state = ledger(&[Entry::Seam { at, seam }, stop(0, 501, 100, Some(200))]);
    let kept = ["ord*", "other"].map(|glob| {
        let mut set = globset::GlobSetBuilder::new();
        set.add(globset::Glob::new(glob).unwrap());
        set.build().unwrap()
    });
    let asked = |word| [Asked::parse(Way::Recopy, word).unwrap()];
    for word in ["orders:0", "orders"] {
        let refused = decide(&asked(word), "ann", 9, &[&state], &kept[0]).unwrap_err();
        assert!(
            refused.message.contains("target offsets 5 to 7"),
            "{refused}"
        );
        let decided = decide(&asked(word), "ann", 9, &[&state], &kept[1]).unwrap();
        assert_eq!(decided.all.len(), 1);
    }
    // A gap deletes nothing.
    let gap = [Asked::parse(Way::AcceptGap, "orders:0").unwrap()];
    assert!(decide(&gap, "ann", 9, &[&state], &kept[0]).is_ok());
}

#[test]
fn what_may_have_been_missed_is_given_up_to_now_and_moves_nothing() {
    let beyond = Some(Beyond {
        source: 40,
        epoch: 3,
    });
    let mut state = ledger(&[stop(0, 527, 40, Some(40)), stop(1, 501, 40, Some(50))]);
    let name = TopicPartition::new("orders", 0);
    let at = At {
        topic: 0,
        partition: 0,
    };
    let mut stopped = state.partitions[&at].stopped.clone().unwrap();
    stopped.beyond = beyond;
    let all = choices(&name, &stopped, Before::default());
    assert!(all[0].does.contains("may live on"), "{all:?}");
    assert_eq!(all.len(), 2);
    let words = ["--accept-gap orders:0", "--accept-gap orders:1"];
    let decided = ask(&words, &[&state]).unwrap();
    for decision in &decided.all {
        for entry in decision.entries() {
            state.take(entry);
        }
    }
    let current = |partition| state.partitions[&At { partition, ..at }].current;
    // Only that stop is about time.
    assert_eq!((current(0), current(1)), (Some(9), None));
    assert!(state.partitions.values().all(|one| one.stopped.is_none()));
}
