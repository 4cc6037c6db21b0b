//! Offsets committed in transactions: rules G2 and G11.

use kafka_protocol::messages::{
    txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    *,
};

use super::{
    Rule, World,
    batches::Identity,
    code,
    codes::*,
    commits::{BARE, Who},
    groups::group,
    is,
    line::*,
};

pub const RULES: &[Rule] = &[
    (
        "G2: a transaction without a member gets into an active group",
        transaction,
    ),
    (
        "G2: a transaction that names a member must be right",
        transaction_of_member,
    ),
    (
        "G11: UNSTABLE_OFFSET_COMMIT while a transaction holds a position",
        unstable,
    ),
    ("G11: an aborted transaction leaves what was", aborted),
];

impl Line {
    /// AddOffsetsToTxn and TxnOffsetCommit.
    fn stage(
        &mut self,
        version: i16,
        txn: (&str, Identity),
        place: (&str, &str),
        who: Who<'_>,
        offset: i64,
    ) -> i16 {
        let (id, me) = txn;
        let (g, t) = place;
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(me.0))
            .with_producer_epoch(me.1)
            .with_group_id(group(g));
        let added = patiently(|| self.ask(3, &request), |answer| answer.error_code);
        code("the group added", added.error_code, NONE);
        let one = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let one = TxnOffsetCommitRequestTopic::default()
            .with_name(topic(t))
            .with_partitions(vec![one]);
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_group_id(group(g))
            .with_producer_id(ProducerId(me.0))
            .with_producer_epoch(me.1)
            .with_topics(vec![one]);
        if version >= 3 {
            request = request
                .with_member_id(text(who.0))
                .with_generation_id(who.1);
        }
        let answer = self.ask(version, &request);
        answer.topics[0].partitions[0].error_code
    }
}

fn transaction(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    line.alone(&g);
    let me = line.begin(&x);
    for (version, offset) in [(2, 5), (3, 6), (4, 7)] {
        let seen = line.stage(version, (&x, me), (&g, &t), BARE, offset);
        code(&format!("version {version}"), seen, NONE);
        line.end(&x, me, true);
        let seen = settled(|| line.committed(&g, &t, true), |seen| seen.0 == offset);
        is("visible", seen, (offset, NONE));
    }
}

fn transaction_of_member(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    let member = line.alone(&g);
    let me = line.begin(&x);
    let mut stage = |who| line.stage(3, (&x, me), (&g, &t), who, 5);
    code("a stranger", stage(("made-up", 1)), UNKNOWN_MEMBER_ID);
    code(
        "another generation",
        stage((&member, 9)),
        ILLEGAL_GENERATION,
    );
    code("well", stage((&member, 1)), NONE);
    line.end(&x, me, false);
}

fn unstable(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    code("at first", line.commit(&g, &t, BARE, 1), NONE);
    let me = line.begin(&x);
    code("staged", line.stage(3, (&x, me), (&g, &t), BARE, 5), NONE);
    is("to most", line.committed(&g, &t, false), (1, NONE));
    is(
        "to the careful",
        line.committed(&g, &t, true),
        (-1, UNSTABLE_OFFSET_COMMIT),
    );
    code("meanwhile", line.commit(&g, &t, BARE, 7), NONE);
    is(
        "still",
        line.committed(&g, &t, true).1,
        UNSTABLE_OFFSET_COMMIT,
    );
    line.end(&x, me, true);
    let look = || line.committed(&g, &t, true);
    let seen = settled(look, |seen| seen.1 == NONE);
    is(
        "the later commit counts, not the later marker",
        seen,
        (7, NONE),
    );
}

fn aborted(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    code("at first", line.commit(&g, &t, BARE, 1), NONE);
    let me = line.begin(&x);
    code("staged", line.stage(3, (&x, me), (&g, &t), BARE, 5), NONE);
    line.end(&x, me, false);
    let look = || line.committed(&g, &t, true);
    is("as before", settled(look, |seen| seen.1 == NONE), (1, NONE));
}
