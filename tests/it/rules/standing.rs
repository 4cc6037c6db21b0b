//! A follower that follows no more: what is appended is not seen, and nobody knows what became of it. Rules P18, F3.

use super::{
    Rule, World,
    batches::*,
    code,
    codes::{self, *},
    is,
    line::*,
};

pub const RULES: &[Rule] = &[(
    "P18: what no follower has is not seen, and acks=all ends in a time-out",
    unknown,
)];

fn unknown(world: &World) {
    let t = Line::create_on(world, &[1, 2], &[]);
    let mut line = Line::at(world, 1);
    let me = line.producer();
    is("sent", line.produce(&t, batch(me, 0, 1)), (NONE, 0));
    world.next();
    let sent = batch(me, 1, 1);
    let request = produce(&t, &[(0, sent.clone())], None);
    let answer = line.ask(9, &request.clone().with_timeout_ms(300));
    let one = &answer.responses[0].partition_responses[0];
    code("acks=all", one.error_code, REQUEST_TIMED_OUT);
    is("where it lies", one.base_offset, 1);
    let later = produce(&t, &[(0, batch(me, 2, 1))], None).with_acks(1);
    let answer = line.ask(9, &later);
    let one = &answer.responses[0].partition_responses[0];
    is("acks=1", (one.error_code, one.base_offset), (NONE, 2));
    let data = line.fetch(&t, 0, false);
    is("what is seen", data.high_watermark, 1);
    is("of batches", line.stored(&t, 0).len(), 1);
    is("the latest", line.latest(&t, -1), (NONE, 1));
    let above = line.fetch(&t, 2, false);
    code("above what is seen", above.error_code, NONE);
    is("nothing", above.records.map_or(0, |it| it.len()), 0);
    let known = line.remembered(&t, me.0).map(|one| one.last_sequence);
    is("S12: known all the same", known, Some(2));
    let again = line.ask(9, &request.with_timeout_ms(300));
    let seen = again.responses[0].partition_responses[0].error_code;
    // A duplicate waits as the first did, and is told where that one lies.
    let at = again.responses[0].partition_responses[0].base_offset;
    is(
        "again",
        (codes::name(seen), at),
        (codes::name(REQUEST_TIMED_OUT), 1),
    );
    world.next();
    let look = || line.fetch(&t, 0, false).high_watermark;
    is("all is seen", settled(look, |seen| *seen == 3), 3);
    is("again", line.produce(&t, sent), (NONE, 1));
}
