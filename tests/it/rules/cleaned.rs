//! What the log cleaner leaves. Rules C1 to C5, P14, probe 22.
//!
//! Topics become compacted when everything is written, so that one round cleans all of it but the last batch, which is a segment of its own:
//! segments end where times do.

use kafka_migrate::wire::{
    batch::{Batch, Marker},
    codec::Codec,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "C1: batches keep their headers while records go, in every codec",
        headers,
    ),
    (
        "C2: the last batch of a producer stays without records, until it is forgotten",
        empty,
    ),
    (
        "C5 P14: tombstones get a horizon, and go behind it",
        tombstones,
    ),
    ("C4: aborted data goes, its marker later", aborted),
    (
        "C4: the marker of nothing goes, the last of a live producer stays empty",
        markers,
    ),
    ("C3: records without a key go, what is open stays", keyless),
];

const SETTINGS: &[(&str, &str)] = &[
    ("segment.ms", "100"),
    ("min.cleanable.dirty.ratio", "0.001"),
    ("delete.retention.ms", "1"),
];

/// A topic being written: every batch is of another second.
struct Written<'a> {
    world: &'a World,
    line: Line,
    t: String,
    time: i64,
    others: Identity,
    sent: i32,
}

type Entry<'a> = (Option<&'a str>, Option<&'a str>);

impl<'a> Written<'a> {
    fn new(world: &'a World) -> Self {
        let t = Line::create_on(world, &[1], SETTINGS);
        let mut line = Line::at(world, 1);
        let others = line.producer();
        let time = now() - 600_000;
        Self {
            world,
            line,
            t,
            time,
            others,
            sent: 0,
        }
    }

    fn batch(
        &mut self,
        me: Identity,
        sequence: i32,
        bits: i16,
        codec: Codec,
        inside: &[Entry<'_>],
    ) -> bytes::Bytes {
        self.time += 1_000;
        let mut head = header(me, sequence, inside.len() as i32);
        (head.base_timestamp, head.max_timestamp) = (self.time, self.time);
        head.attributes = bits;
        let records: Vec<Rec<'_>> = (0..)
            .zip(inside)
            .map(|(at, (key, value))| Rec(at, 0, key.map(str::as_bytes), value.map(str::as_bytes)))
            .collect();
        packed(head, &records, codec)
    }

    /// A batch of these keys and values.
    fn put(&mut self, me: Identity, sequence: i32, inside: &[Entry<'_>]) {
        let sent = self.batch(me, sequence, 0, Codec::None, inside);
        code("written", self.line.produce(&self.t, sent).0, NONE);
    }

    /// A batch of somebody else, of a key of its own: a segment that is not cleaned.
    fn close(&mut self) {
        let (others, sent) = (self.others, self.sent);
        self.put(others, sent, &[(Some("another"), Some("v"))]);
        self.sent += 1;
    }

    /// Has it cleaned until it looks so, but for the segment that is not cleaned.
    fn cleaned(&mut self, what: &str, expected: &[Shape]) -> Vec<Batch> {
        let on = self
            .line
            .alter(&self.t, &[("cleanup.policy", 0, Some("compact"))]);
        code("to be cleaned", on, NONE);
        let (world, t, line) = (self.world, &self.t, &mut self.line);
        let look = || {
            world.operator().clean(t);
            let mut all = everything(line, t);
            all.pop();
            all
        };
        let seen = settled(look, |seen| shapes(seen) == expected);
        is(what, shapes(&seen), expected.to_vec());
        for one in &seen {
            is("its CRC", one.verify().is_ok(), true);
        }
        seen
    }
}

/// All batches: a fetch is answered from one segment.
fn everything(line: &mut Line, t: &str) -> Vec<Batch> {
    let mut all: Vec<Batch> = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last.header.next_offset());
        let more = line.stored(t, from);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// First and last offset, records, base sequence.
type Shape = (i64, i64, i32, i32);

fn shapes(batches: &[Batch]) -> Vec<Shape> {
    let each = batches.iter().map(|one| one.header);
    each.map(|one| {
        (
            one.base_offset,
            one.last_offset(),
            one.record_count,
            one.base_sequence,
        )
    })
    .collect()
}

const A: Entry<'static> = (Some("a"), Some("1"));
const B: Entry<'static> = (Some("b"), Some("1"));
const C: Entry<'static> = (Some("c"), Some("1"));

fn headers(world: &World) {
    for codec in [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ] {
        let mut w = Written::new(world);
        let me = w.line.producer();
        let first = w.batch((me.0, 2), 0, 0, codec, &[A, B, C]);
        is("sent", w.line.produce(&w.t, first), (NONE, 0));
        w.put((me.0, 2), 3, &[A]);
        w.put((me.0, 2), 4, &[A, C]);
        w.close();
        let seen = w.cleaned("holes", &[(0, 2, 1, 0), (4, 5, 2, 4)]);
        let Some(first) = seen.first() else { continue };
        let head = first.header;
        is("whose", (head.producer_id, head.producer_epoch), (me.0, 2));
        is("its codec", i16::from(head.codec()), codec.attributes());
        let fetched = w.line.stored(&w.t, 3);
        is("in a hole", fetched[0].header.base_offset, 4);
    }
}

fn empty(world: &World) {
    let mut w = Written::new(world);
    let (me, cold) = (w.line.producer(), w.line.producer());
    let time = std::mem::replace(&mut w.time, now() - 2 * 86_400_000);
    w.put(cold, 0, &[A]);
    w.time = time;
    w.put(me, 0, &[A]);
    w.put(me, 1, &[A, B]);
    let third = w.line.producer();
    w.put(third, 0, &[A, B]);
    w.close();
    // Whose records are old is forgotten at the next tick.
    let gone = settled(|| w.line.remembered(&w.t, cold.0).is_none(), |gone| *gone);
    is("forgotten", gone, true);
    let seen = w.cleaned("one empty", &[(2, 3, 0, 1), (4, 5, 2, 0)]);
    let Some(head) = seen.first().map(|one| one.header) else {
        return;
    };
    is("whose", (head.producer_id, head.producer_epoch), me);
    is(
        "its times",
        (head.base_timestamp, head.max_timestamp),
        (-1, time + 2_000),
    );
    w.put(me, 3, &[C]);
    w.close();
    w.cleaned("no more", &[(4, 5, 2, 0), (6, 6, 1, 0), (7, 7, 1, 3)]);
}

fn tombstones(world: &World) {
    let mut w = Written::new(world);
    let me = w.line.producer();
    w.put(me, 0, &[A, B]);
    w.put(me, 2, &[(Some("a"), None), C]);
    let time = w.time;
    w.close();
    let before = now();
    let seen = w.cleaned("at first", &[(0, 1, 1, 0), (2, 3, 2, 2)]);
    let Some(head) = seen.last().map(|one| one.header) else {
        return;
    };
    is("a horizon", head.attributes, DELETE_HORIZON);
    is("behind now", head.base_timestamp >= before, true);
    is("the largest time", head.max_timestamp, time);
    w.close();
    w.cleaned("behind it", &[(0, 1, 1, 0), (2, 3, 1, 2), (4, 4, 1, 0)]);
}

fn aborted(world: &World) {
    let mut w = Written::new(world);
    let (mut coordinator, x) = Line::to_first(world);
    let me = coordinator.begin(&x);
    let t = w.t.clone();
    code("added", coordinator.add(&x, me, &t, &[0]), NONE);
    for sequence in 0..2 {
        let sent = w.batch(me, sequence, TRANSACTIONAL, Codec::None, &[A]);
        code("sent", w.line.put_in(&t, &x, sent).0, NONE);
    }
    coordinator.end(&x, me, false);
    w.time = now();
    w.close();
    w.time = now();
    w.close();
    let seen = w.cleaned("data gone", &[(1, 1, 0, 1), (2, 2, 1, -1), (3, 3, 1, 0)]);
    let attributes: Vec<i16> = seen.iter().map(|one| one.header.attributes).collect();
    is(
        "bits",
        attributes,
        vec![TRANSACTIONAL, TRANSACTIONAL | CONTROL, 0],
    );
    let data = w.line.fetch(&t, 0, true);
    is(
        "listed",
        data.aborted_transactions.map_or(0, |all| all.len()),
        1,
    );
}

fn markers(world: &World) {
    let mut w = Written::new(world);
    let (mut coordinator, x) = Line::to_first(world);
    let me = coordinator.begin(&x);
    let t = w.t.clone();
    for commit in [true, false] {
        code("added", coordinator.add(&x, me, &t, &[0]), NONE);
        coordinator.end(&x, me, commit);
    }
    w.time = now();
    w.close();
    w.time = now() + 200;
    w.close();
    let seen = w.cleaned("at first", &[(0, 0, 1, -1), (1, 1, 1, -1), (2, 2, 1, 0)]);
    if seen.len() < 2 {
        return;
    }
    is("what it is", seen[1].marker(), Ok(Some(Marker::Abort)));
    let look = || {
        let first = &everything(&mut w.line, &t)[0];
        first.header.attributes & DELETE_HORIZON != 0
    };
    is("a horizon", settled(look, |seen| *seen), true);
    w.time = now() + 400;
    w.close();
    // Its epoch fences, so the header stays as long as nothing else tells of the producer.
    let seen = w.cleaned("then", &[(0, 0, 0, -1), (1, 1, 0, -1), (3, 3, 1, 1)]);
    is(
        "and is a marker",
        seen.first().is_some_and(|one| one.header.is_control()),
        true,
    );
}

fn keyless(world: &World) {
    let mut w = Written::new(world);
    let me = w.line.producer();
    w.put(me, 0, &[A, (None, Some("v"))]);
    w.put(NOBODY, -1, &[(None, Some("v"))]);
    w.put(me, 2, &[B]);
    w.close();
    w.cleaned("without a key", &[(0, 1, 1, 0), (3, 3, 1, 2)]);
}
