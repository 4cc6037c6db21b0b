//! Two clusters that know every record, and two directions that know only what an engine's ledger would.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// One offset of a log.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The record; `None` for a marker, or aborted data.
    id: Option<usize>,
    /// An application wrote it here.
    native: bool,
    /// Compaction has removed it.
    gone: bool,
}

/// One direction: what it did, and what of that stands in its ledger.
#[derive(Debug, Clone, Default)]
struct Direction {
    seam: i64,
    at: i64,
    echo_end: i64,
    copies: Vec<(i64, i64)>,
    /// What the ledger says.
    passed: i64,
    told_echo_end: i64,
    mapped: usize,
    mapped_end: i64,
    forgotten: usize,
}

impl Direction {
    fn flush(&mut self, target_end: i64) {
        self.passed = self.at;
        self.told_echo_end = self.echo_end;
        self.mapped = self.copies.len();
        // An engine says where its last copy ends, or, after a crash, where it had looked for it.
        let behind = self.copies.last().map_or(0, |copy| copy.1 + 1);
        self.mapped_end = self.mapped_end.max(behind).min(target_end);
    }

    fn way(&self) -> Way {
        let told = &self.copies[..self.mapped];
        let last_forgotten = self.forgotten.checked_sub(1).map(|last| told[last]);
        let one = |&(source, target): &(i64, i64)| Segment {
            source,
            target,
            length: 1,
        };
        Way {
            seam: self.seam,
            begin: last_forgotten.map_or(self.seam, |copy| copy.0 + 1),
            mapped_begin: last_forgotten.map_or(0, |copy| copy.1 + 1),
            segments: told[self.forgotten..].iter().map(one).collect(),
            passed: self.passed,
            echo_end: self.told_echo_end,
            mapped_end: self.mapped_end,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, usize),
    Marker(usize),
    Compact(usize, usize),
    Copy(usize, usize),
    Flush(usize),
    Crash(usize),
    Forget(usize, usize),
}

#[derive(Debug, Default)]
struct World {
    logs: [Vec<Slot>; 2],
    ways: [Direction; 2],
    records: usize,
}

impl World {
    /// Offsets below the seams hold nothing of interest.
    fn new(seams: [usize; 2]) -> Self {
        let mut world = Self::default();
        for (side, markers) in seams.into_iter().enumerate() {
            (0..markers).for_each(|_| world.marker(side));
            let seam = markers as i64;
            world.ways[side].seam = seam;
            world.ways[side].at = seam;
            world.ways[side].passed = seam;
            world.ways[1 - side].mapped_end = seam;
        }
        world
    }

    fn marker(&mut self, side: usize) {
        self.logs[side].push(Slot {
            id: None,
            native: true,
            gone: false,
        });
    }

    fn end(&self, side: usize) -> i64 {
        self.logs[side].len() as i64
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write(side, count) => {
                for _ in 0..count {
                    let id = Some(self.records);
                    self.records += 1;
                    self.logs[side].push(Slot {
                        id,
                        native: true,
                        gone: false,
                    });
                }
            }
            Step::Marker(side) => self.marker(side),
            Step::Compact(side, at) => {
                // The newest record always stays.
                let older = self.logs[side].len().saturating_sub(1);
                if older > 0 {
                    self.logs[side][at % older].gone = true;
                }
            }
            Step::Copy(from, count) => (0..count).for_each(|_| self.copy(from)),
            Step::Flush(from) => {
                let end = self.end(1 - from);
                self.ways[from].flush(end);
            }
            Step::Crash(from) => self.crash(from),
            Step::Forget(from, count) => {
                let way = &mut self.ways[from];
                way.forgotten = (way.forgotten + count).min(way.mapped.saturating_sub(1));
            }
        }
    }

    fn copy(&mut self, from: usize) {
        let [here, there] = [from, 1 - from];
        let way = &mut self.ways[from];
        let Some(&slot) = self.logs[here].get(way.at as usize) else {
            return;
        };
        way.at += 1;
        if slot.id.is_none() || slot.gone {
            return;
        }
        if !slot.native {
            way.echo_end = way.at;
            return;
        }
        way.told_echo_end = way.echo_end;
        let target = self.logs[there].len() as i64;
        way.copies.push((way.at - 1, target));
        self.logs[there].push(Slot {
            native: false,
            ..slot
        });
    }

    /// What was not told is found on the target, in front of a marker.
    fn crash(&mut self, from: usize) {
        self.marker(1 - from);
        let end = self.end(1 - from);
        let way = &mut self.ways[from];
        way.echo_end = way.told_echo_end;
        let found = way.copies[way.mapped..].last().map(|copy| copy.0 + 1);
        way.at = found.unwrap_or(0).max(way.passed);
        way.flush(end);
        way.mapped_end = end;
    }

    /// Until both directions have nothing left to do, and have said so.
    fn drain(&mut self) {
        for _ in 0..3 {
            for from in 0..2 {
                while self.ways[from].at < self.end(from) {
                    self.copy(from);
                }
                let end = self.end(1 - from);
                self.ways[from].flush(end);
            }
        }
    }

    fn translate(&self, here: usize, committed: i64) -> Result<Place, NoPlace> {
        let there = 1 - here;
        let ways = [self.ways[here].way(), self.ways[there].way()];
        translate(committed, &ways[0], Some(&ways[1]), self.end(there))
    }

    /// Every record that a group has consumed which committed this offset, with or without those that compaction may have hidden from it.
    fn consumed(&self, side: usize, committed: i64, hidden: bool) -> HashSet<usize> {
        let below = self.logs[side][..committed as usize].iter();
        let seen = below.filter(|slot| hidden || !slot.gone);
        seen.filter_map(|slot| slot.id).collect()
    }

    /// The first offset of a record that is not consumed: what somebody would answer who knows everything. Of records that are gone a map
    /// may know nothing, or nothing of their end.
    fn first_left(&self, side: usize, consumed: &HashSet<usize>, gone: bool) -> i64 {
        let left =
            |slot: &Slot| slot.id.is_some_and(|id| !consumed.contains(&id)) && (gone || !slot.gone);
        let first = self.logs[side].iter().position(left);
        first.unwrap_or(self.logs[side].len()) as i64
    }

    /// The first offset from this one on that holds, or held, a record.
    fn next_record(&self, side: usize, offset: i64) -> i64 {
        let behind = self.logs[side].iter().skip(offset as usize);
        let passed = behind.take_while(|slot| slot.id.is_none());
        offset + passed.count() as i64
    }

    /// A marker that the way back has not passed, or that stands among copies that are not in the map, is taken for a record.
    fn has_marker_to_pass(&self, here: usize) -> bool {
        let (here, there) = (&self.ways[here], 1 - here);
        let mut from = self.ways[there].passed;
        if self.ways[there].told_echo_end > here.mapped_end {
            from = from.min(here.mapped_end);
        }
        let mut ahead = self.logs[there].iter().skip(from as usize);
        ahead.any(|slot| slot.id.is_none())
    }

    fn check(&self, exact: Exact) -> Result<(), TestCaseError> {
        for here in 0..2 {
            let there = 1 - here;
            for committed in 0..=self.end(here) {
                let answer = self.translate(here, committed);
                let way = &self.ways[here];
                let forgets = self.ways.iter().any(|way| way.forgotten > 0);
                let place = match answer {
                    Ok(place) => place,
                    Err(NoPlace::BeforeSeam { .. }) if committed < way.seam => continue,
                    Err(NoPlace::BeforeMap { .. }) if forgets => continue,
                    Err(NoPlace::NotCopied { .. }) if way.passed < committed => continue,
                    Err(NoPlace::OtherTrails { .. }) if exact != Exact::Always => continue,
                    Err(why) => return Err(TestCaseError::fail(format!("{committed}: {why}"))),
                };
                let consumed = self.consumed(here, committed, true);
                let first_left = self.first_left(there, &consumed, false);
                prop_assert!(
                    place.offset <= first_left,
                    "{committed} on {here} skips {first_left} on {there}: {place:?}"
                );
                let behind = self.logs[there][place.offset as usize..].iter();
                let surely = self.consumed(here, committed, false);
                let count = |consumed: &HashSet<usize>, gone: bool| {
                    let again = behind.clone().filter(|slot| gone || !slot.gone);
                    let again =
                        again.filter(|slot| slot.id.is_some_and(|id| consumed.contains(&id)));
                    again.count() as u64
                };
                // Without compaction this is one number.
                let counts = count(&surely, false)..=count(&consumed, true);
                prop_assert!(
                    counts.contains(&place.repeats),
                    "{committed} on {here}: {counts:?} are repeated, not {place:?}"
                );
                let is_exact = match exact {
                    Exact::Always => true,
                    Exact::BehindMarkers => !self.has_marker_to_pass(here),
                    Exact::Never => false,
                };
                if is_exact {
                    let best = self.first_left(there, &consumed, true);
                    prop_assert!(
                        self.next_record(there, place.offset) >= best,
                        "{committed} on {here} could be {best} on {there}, not {place:?}"
                    );
                }
            }
        }
        Ok(())
    }
}

/// When an answer has to be the best there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exact {
    Always,
    BehindMarkers,
    Never,
}

fn step(side: impl Strategy<Value = usize> + Clone, forgets: bool) -> impl Strategy<Value = Step> {
    let both = 0..2usize;
    let forgetting = if forgets { 1 } else { 0 };
    prop_oneof![
        6 => (side.clone(), 1..5usize).prop_map(|(side, count)| Step::Write(side, count)),
        2 => side.clone().prop_map(Step::Marker),
        1 => (side, any::<usize>()).prop_map(|(side, at)| Step::Compact(side, at)),
        8 => (both.clone(), 1..7usize).prop_map(|(from, count)| Step::Copy(from, count)),
        4 => both.clone().prop_map(Step::Flush),
        1 => both.clone().prop_map(Step::Crash),
        forgetting => (both, 1..5usize).prop_map(|(from, count)| Step::Forget(from, count)),
    ]
}

fn seams() -> impl Strategy<Value = [usize; 2]> {
    [0..3usize, 0..3usize]
}

/// A group that is moved back and forth.
#[derive(Debug)]
struct Group {
    side: usize,
    at: i64,
    seen: HashSet<usize>,
    again: u64,
    announced: u64,
}

impl Group {
    fn new(world: &World) -> Self {
        Self {
            side: 0,
            at: world.ways[0].seam,
            seen: HashSet::new(),
            again: 0,
            announced: 0,
        }
    }

    fn read(&mut self, world: &World, count: usize) {
        for _ in 0..count {
            let Some(slot) = world.logs[self.side].get(self.at as usize) else {
                return;
            };
            self.at += 1;
            if let Some(id) = slot.id {
                // What compaction removed is not missed: a later record says more.
                let is_new = self.seen.insert(id);
                self.again += u64::from(!is_new && !slot.gone);
            }
        }
    }

    fn go(&mut self, world: &World) -> Result<(), TestCaseError> {
        let Ok(place) = world.translate(self.side, self.at) else {
            return Ok(());
        };
        self.side = 1 - self.side;
        self.at = place.offset;
        self.announced += place.repeats;
        for slot in &world.logs[self.side][..self.at as usize] {
            if let (Some(id), false) = (slot.id, slot.gone) {
                prop_assert!(self.seen.contains(&id), "record {} is skipped", id);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_skipped_and_repeats_are_counted(
        seams in seams(),
        steps in proptest::collection::vec(step(0..2usize, true), 1..60),
    ) {
        let mut world = World::new(seams);
        for some in steps.chunks(6) {
            some.iter().for_each(|step| world.step(step));
            world.check(Exact::Never)?;
        }
    }

    #[test]
    fn both_ledgers_at_the_end_give_the_best_answer(
        seams in seams(),
        steps in proptest::collection::vec(step(0..2usize, false), 1..60),
    ) {
        let mut world = World::new(seams);
        steps.iter().for_each(|step| world.step(step));
        world.drain();
        world.check(Exact::Always)?;
    }

    #[test]
    fn with_one_writing_side_at_a_time_nothing_is_repeated(
        seams in seams(),
        turns in proptest::collection::vec(proptest::collection::vec(step(Just(0), false), 1..20), 1..5),
    ) {
        let mut world = World::new(seams);
        for (turn, steps) in turns.into_iter().enumerate() {
            let writer = turn % 2;
            for step in steps {
                world.step(&match step {
                    Step::Write(_, count) => Step::Write(writer, count),
                    Step::Marker(_) => Step::Marker(writer),
                    Step::Compact(_, at) => Step::Compact(writer, at),
                    other => other,
                });
                world.check(Exact::BehindMarkers)?;
            }
            world.drain();
            world.check(Exact::Always)?;
        }
    }

    #[test]
    fn groups_go_back_and_forth(
        seams in seams(),
        turns in proptest::collection::vec(
            (proptest::collection::vec(step(0..2usize, false), 1..12), 0..9usize),
            1..12,
        ),
    ) {
        let mut world = World::new(seams);
        let mut group = Group::new(&world);
        for (steps, count) in turns {
            steps.iter().for_each(|step| world.step(step));
            group.read(&world, count);
            group.go(&world)?;
        }
        prop_assert!(group.again <= group.announced, "{group:?}");
    }

    #[test]
    fn groups_that_move_with_one_writer_see_each_record_once(
        seams in seams(),
        turns in proptest::collection::vec(
            (proptest::collection::vec(step(Just(0), false), 1..12), 0..9usize),
            1..12,
        ),
    ) {
        let mut world = World::new(seams);
        let mut group = Group::new(&world);
        for (turn, (steps, count)) in turns.into_iter().enumerate() {
            for step in steps {
                world.step(&match step {
                    Step::Write(_, count) => Step::Write(turn / 3 % 2, count),
                    Step::Marker(_) => Step::Marker(turn / 3 % 2),
                    Step::Compact(..) => continue,
                    other => other,
                });
            }
            world.drain();
            group.read(&world, count);
            let before = group.side;
            group.go(&world)?;
            prop_assert_ne!(before, group.side, "it always may");
        }
        group.read(&world, usize::MAX);
        prop_assert_eq!((group.again, group.announced), (0, 0));
        prop_assert_eq!(group.seen.len(), world.records);
    }

    #[test]
    fn one_direction_alone_repeats_nothing(
        steps in proptest::collection::vec(step(Just(0), false), 1..60),
    ) {
        let mut world = World::new([1, 2]);
        for step in steps.iter().filter(|step| !matches!(step, Step::Copy(1, _) | Step::Flush(1) | Step::Crash(1))) {
            world.step(step);
            let way = world.ways[0].way();
            for committed in way.seam..=way.passed {
                let place = translate(committed, &way, None, world.end(1));
                let place = place.map_err(|why| TestCaseError::fail(why.to_string()))?;
                let consumed = world.consumed(0, committed, true);
                let first_left = world.first_left(1, &consumed, false);
                prop_assert!(place.offset <= first_left);
                prop_assert!(world.next_record(1, place.offset) >= first_left);
                prop_assert_eq!(place.repeats, 0);
            }
        }
    }
}
