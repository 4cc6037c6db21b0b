//! Where a group goes on, asked while both sides write and every ledger trails what was copied: nothing is skipped, and as many records are read
//! again as was said.

use std::{collections::HashSet, time::Duration};

use kafka_migrate::model::{
    direction::Direction,
    map::{NoPlace, Place, Way, translate},
};

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, two_way, wait_until_even};
use crate::{
    faults::holes::{NAMES, record, write},
    support::{
        codecs::Record,
        kafka::Kafka,
        ledger,
        read::{self, View},
        shared_pair, unique, wait,
    },
};

const ROUNDS: i64 = 9;

/// What was known at one moment: of both ways, and then where the logs of source and target end.
struct Moment {
    forward: Way,
    reverse: Way,
    ends: [i64; 2],
}

/// How often there was an answer, one with records to be read again, and none because the other ledger trails.
#[derive(Debug, Default)]
struct Counts {
    answers: usize,
    again: usize,
    trails: usize,
}

struct Scene<'a> {
    sides: [&'a Kafka; 2],
    topic: &'a str,
    moments: Vec<Moment>,
}

impl Scene<'_> {
    /// Writes a few records on a side, as one batch.
    fn write(&self, side: usize, round: i64) {
        let mark = [ON_SOURCE, ON_TARGET][side];
        let count = 2 + (round + side as i64) % 3;
        let one = |index| record(index, Some(format!("{mark}{round}/{index}")), NAMES, 40);
        let records: Vec<Record> = (0..count).map(one).collect();
        write(self.sides[side], self.topic, 0, 0, &records);
    }

    /// Keeps what the ledgers say now, if it is not what they said before.
    fn look(&mut self) {
        let [source, target] = self.sides;
        let way = |written, direction| ledger::way(written, self.topic, direction, self.topic);
        let forward = way(target, Direction::Forward);
        let (Some(forward), Some(reverse)) = (forward, way(source, Direction::Reverse)) else {
            return;
        };
        let last = self.moments.last();
        if last.is_some_and(|last| last.forward == forward && last.reverse == reverse) {
            return;
        }
        self.moments.push(Moment {
            forward,
            reverse,
            ends: self.ends(),
        });
    }

    /// Where the logs of source and target end by now.
    fn ends(&self) -> [i64; 2] {
        let end = |kafka: &Kafka| kafka.end_offset(self.topic, 0).expect("it has an end");
        self.sides.map(end)
    }

    /// Every offset of one side, as either ledger may have told of it at any of the moments: one may have been read much later than the other.
    fn assert_places(&self, here: usize) -> Counts {
        let logs = self.sides.map(|kafka| {
            let records = read::partition(kafka, self.topic, 0, View::Committed).into_iter();
            let named = records.map(|record| (record.offset, record.key.expect("it has a key")));
            named.collect::<Vec<_>>()
        });
        let there = 1 - here;
        let mut counts = Counts::default();
        for (first, one) in self.moments.iter().enumerate() {
            for (second, other) in self.moments.iter().enumerate() {
                let ways = match here {
                    0 => [&one.forward, &other.reverse],
                    _ => [&one.reverse, &other.forward],
                };
                let ends = self.moments[first.max(second)].ends;
                for committed in 0..=ends[here] {
                    match translate(committed, ways[0], Some(ways[1]), ends[there]) {
                        Ok(place) => {
                            assert_place(committed, place, &logs[here], &logs[there]);
                            counts.answers += 1;
                            counts.again += usize::from(place.repeats > 0);
                        }
                        Err(why) => {
                            assert!(why.is_passing(), "{committed}: {why}");
                            let trails = matches!(why, NoPlace::OtherTrails { .. });
                            counts.trails += usize::from(trails);
                        }
                    }
                }
            }
        }
        counts
    }
}

/// By what both logs hold in the end: keys, with their offsets.
#[track_caller]
fn assert_place(committed: i64, place: Place, here: &[(i64, Vec<u8>)], there: &[(i64, Vec<u8>)]) {
    let consumed = here.iter().filter(|(offset, _)| *offset < committed);
    let consumed: HashSet<_> = consumed.map(|(_, key)| key).collect();
    let (before, behind): (Vec<_>, Vec<_>) =
        there.iter().partition(|(offset, _)| *offset < place.offset);
    let skipped = before.iter().find(|(_, key)| !consumed.contains(key));
    let again = behind.iter().filter(|(_, key)| consumed.contains(key));
    let again = again.count() as u64;
    assert!(
        skipped.is_none() && again == place.repeats,
        "{committed} became {place:?}: skipped {skipped:?}, again {again}"
    );
}

#[test]
fn whichever_ledger_trails_nothing_is_skipped_and_as_many_are_read_again_as_was_said() {
    let (source, target) = shared_pair();
    let topic = unique("trailing");
    source.create_topic(&topic, 1, &[]);
    let migration = two_way(source, target, &topic, &[&topic]);
    let mut scene = Scene {
        sides: [source, target],
        topic: &topic,
        moments: Vec::new(),
    };
    let mut tool = migration.command(&["replicate"]).start();
    scene.write(0, 0);
    wait_until_even(source, target, &[&topic], &|| tool.said());
    for round in 1..=ROUNDS {
        for side in [0, 1] {
            scene.write(side, round);
            scene.look();
        }
        if round % 3 == 0 {
            tool.kill();
            scene.look();
            tool = migration.command(&["replicate"]).start();
            continue;
        }
        wait::until("both ledgers know of it", Duration::from_secs(60), || {
            scene.look();
            let ends = scene.ends();
            let last = scene.moments.last();
            last.is_some_and(|last| [last.forward.passed, last.reverse.passed] == ends)
        });
    }
    wait_until_even(source, target, &[&topic], &|| tool.said());
    tool.interrupt();
    tool.wait(Duration::from_secs(60)).assert_exit(130);
    scene.look();
    assert_both_have_all(source, target, &topic);
    for here in [0, 1] {
        let counts = scene.assert_places(here);
        println!("{} moments: {counts:?}", scene.moments.len());
        assert!(counts.answers > 100 && counts.again > 10 && counts.trails > 10);
    }
}
