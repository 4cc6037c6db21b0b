//! Which right of a group, of a transactional id and of the cluster each request asks for.

use kafka_protocol::messages::{
    alter_user_scram_credentials_request::ScramCredentialDeletion,
    describe_user_scram_credentials_request::UserName, *,
};

use super::{
    Rule, World, batches::*, codes::*, commits::BARE, each::*, groups::*, is, line::*,
    logins::versions, refusals::*, rights::*,
};

pub const RULES: &[Rule] = &[
    ("rights of a group", groups),
    ("rights of a transactional id", transactional_ids),
    ("rights of the cluster", cluster),
    (
        "rights of the cluster: topics and groups without rights of their own",
        over_all,
    ),
];

fn groups(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    is("a commit", admin.commit(&g, &t, BARE, 1), NONE);
    let x = world.unique("txn");
    let mut each = Each::of(world, "may", GROUP, &g);
    each.all(world, TOPIC, &t, ALL);
    each.all(world, TRANSACTIONAL_ID, &x, WRITE);
    let refusal = GROUP_AUTHORIZATION_FAILED;
    let mut check = |what: &str, answer, ask: &mut dyn FnMut(&mut Line) -> i16| {
        each.check(what, answer, refusal, ask);
    };
    check("FindCoordinator", (NONE, DESCRIBES), &mut |line| {
        coordinator(line, 0, &g)
    });
    check("JoinGroup", (MEMBER_ID_REQUIRED, READS), &mut |line| {
        line.ask(9, &joining(&g, "", None)).error_code
    });
    check("SyncGroup", (UNKNOWN_MEMBER_ID, READS), &mut |line| {
        line.ask(5, &syncing(&g, "nobody", 1, &[])).error_code
    });
    check("Heartbeat", (UNKNOWN_MEMBER_ID, READS), &mut |line| {
        line.beat(&g, "nobody", 1, None)
    });
    check("LeaveGroup", (NONE, READS), &mut |line| {
        line.leave(&g, &[("nobody", None)]).0
    });
    check("OffsetCommit", (NONE, READS), &mut |line| {
        line.commit(&g, &t, BARE, 1)
    });
    check("OffsetFetch", (NONE, DESCRIBES), &mut |line| {
        let request = OffsetFetchRequest::default()
            .with_group_id(group(&g))
            .with_topics(None);
        line.ask(7, &request).error_code
    });
    check("DescribeGroups", (NONE, DESCRIBES), &mut |line| {
        let request = DescribeGroupsRequest::default().with_groups(vec![group(&g)]);
        line.ask(5, &request).groups[0].error_code
    });
    check("OffsetDelete", (NONE, DELETES), &mut |line| {
        line.ask(0, &OffsetDeleteRequest::default().with_group_id(group(&g)))
            .error_code
    });
    let unknown = INVALID_PRODUCER_ID_MAPPING;
    check("TxnOffsetCommit", (unknown, READS), &mut |line| {
        staged(line, (&x, &g, &t))
    });
    check("AddOffsetsToTxn", (unknown, READS), &mut |line| {
        offsets_added(line, &x, &g)
    });
    check("ListGroups", (NONE, DESCRIBES), &mut |line| {
        let answer = line.ask(4, &ListGroupsRequest::default());
        let listed = answer.groups.iter().any(|one| one.group_id == group(&g));
        if listed { answer.error_code } else { refusal }
    });
    let everyone: Vec<i8> = (ALL..=IDEMPOTENT_WRITE).collect();
    let answer = if world.is_41() {
        (GROUP_ID_NOT_FOUND, DESCRIBES)
    } else {
        (UNSUPPORTED_VERSION, &*everyone)
    };
    check("ConsumerGroupDescribe", answer, &mut |line| {
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(&g)]);
        line.ask(0, &request).groups[0].error_code
    });
    let nowhere = world.unique("nowhere");
    let mut each = Each::of(world, "may", GROUP, &nowhere);
    each.check(
        "DeleteGroups",
        (GROUP_ID_NOT_FOUND, DELETES),
        refusal,
        |line| {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![group(&nowhere)]);
            line.ask(2, &request).results[0].error_code
        },
    );
}

fn coordinator(line: &mut Line, kind: i8, key: &str) -> i16 {
    let request = FindCoordinatorRequest::default()
        .with_key_type(kind)
        .with_key(text(key));
    patiently(|| line.ask(3, &request), |answer| answer.error_code).error_code
}

/// AddOffsetsToTxn by a producer nobody knows.
fn offsets_added(line: &mut Line, id: &str, g: &str) -> i16 {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(ProducerId(77))
        .with_group_id(group(g));
    patiently(|| line.ask(3, &request), |answer| answer.error_code).error_code
}

fn transactional_ids(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    admin.begin(&x);
    let mut each = Each::of(world, "may", TRANSACTIONAL_ID, &x);
    each.all(world, TOPIC, &t, ALL);
    each.all(world, GROUP, &g, READ);
    let refusal = TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    let unknown = INVALID_PRODUCER_ID_MAPPING;
    let mut check = |what: &str, answer, ask: &mut dyn FnMut(&mut Line) -> i16| {
        each.check(what, answer, refusal, ask);
    };
    check("FindCoordinator", (NONE, DESCRIBES), &mut |line| {
        coordinator(line, 1, &x)
    });
    check("AddPartitionsToTxn", (unknown, WRITES), &mut |line| {
        added(line, &x, &t)
    });
    check("AddOffsetsToTxn", (unknown, WRITES), &mut |line| {
        offsets_added(line, &x, &g)
    });
    check("TxnOffsetCommit", (unknown, WRITES), &mut |line| {
        staged(line, (&x, &g, &t))
    });
    check("EndTxn", (unknown, WRITES), &mut |line| {
        line.end_as(3, &x, (77, 0), true)
    });
    check("Produce", (unknown, WRITES), &mut |line| {
        line.put(9, (&t, 0), transactional((77, 0), 0, 1), Some(&x))
            .error_code
    });
    check("DescribeTransactions", (NONE, DESCRIBES), &mut |line| {
        let id = TransactionalId(text(&x));
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id]);
        line.ask(0, &request).transaction_states[0].error_code
    });
    check("ListTransactions", (NONE, DESCRIBES), &mut |line| {
        let answer = line.ask(0, &ListTransactionsRequest::default());
        let mut each = answer.transaction_states.iter();
        let listed = each.any(|one| *one.transactional_id == *x);
        if listed { answer.error_code } else { refusal }
    });
    check("InitProducerId", (NONE, WRITES), &mut |line| {
        line.init(Some(&x), NOBODY).0
    });
}

/// Which operations of the cluster are enough for `DESCRIBE`, and so on, as for every other resource.
fn cluster(world: &World) {
    let mut each = Each::of(world, "over", CLUSTER, "kafka-cluster");
    let refusal = CLUSTER_AUTHORIZATION_FAILED;
    let mut check = |what: &str, answer, ask: &mut dyn FnMut(&mut Line) -> i16| {
        each.check(what, answer, refusal, ask);
    };
    check("CreateAcls", (INVALID_REQUEST, ALTERS), &mut |line| {
        line.try_give(&[allow("x", CLUSTER, "another", READ)])[0]
    });
    check("DeleteAcls", (NONE, ALTERS), &mut |line| {
        line.take(&of("nobody")).0
    });
    check("DescribeAcls", (NONE, DESCRIBES), &mut |line| {
        line.find(&of("nobody")).0
    });
    check(
        "AlterUserScramCredentials",
        (RESOURCE_NOT_FOUND, ALTERS),
        &mut |line| {
            let nobody = ScramCredentialDeletion::default()
                .with_name(text("nobody"))
                .with_mechanism(1);
            let request = AlterUserScramCredentialsRequest::default().with_deletions(vec![nobody]);
            line.ask(0, &request).results[0].error_code
        },
    );
    check(
        "DescribeUserScramCredentials",
        (NONE, DESCRIBES),
        &mut |line| {
            let nobody = vec![UserName::default().with_name(text("nobody"))];
            let request = DescribeUserScramCredentialsRequest::default().with_users(Some(nobody));
            line.ask(0, &request).error_code
        },
    );
    check("DescribeLogDirs", (NONE, DESCRIBES), &mut |line| {
        let request = DescribeLogDirsRequest::default().with_topics(Some(vec![]));
        line.ask(4, &request).error_code
    });
    check("DescribeQuorum", (NONE, DESCRIBES), &mut |line| {
        line.ask(1, &DescribeQuorumRequest::default()).error_code
    });
    check(
        "DescribeClientQuotas",
        (NONE, DESCRIBES_CONFIGS),
        &mut |line| {
            line.ask(1, &DescribeClientQuotasRequest::default())
                .error_code
        },
    );
    check("DescribeConfigs", (NONE, DESCRIBES_CONFIGS), &mut |line| {
        described(line, 4, "1")
    });
    check(
        "IncrementalAlterConfigs",
        (NONE, ALTERS_CONFIGS),
        &mut |line| altered(line, 4, "1", "message.max.bytes"),
    );
    check(
        "InitProducerId",
        (NONE, &[ALL, IDEMPOTENT_WRITE]),
        &mut |line| line.init(None, NOBODY).0,
    );
    let mut check = |what: &str, ask: &mut dyn FnMut(&mut Line) -> i16| {
        let all: Vec<i8> = (ALL..=IDEMPOTENT_WRITE).collect();
        each.check(what, (NONE, &all), refusal, ask);
    };
    check("DescribeCluster", &mut |line| {
        line.ask(0, &DescribeClusterRequest::default()).error_code
    });
    check("ApiVersions", &mut |line| {
        line.ask(3, &versions()).error_code
    });
}

fn over_all(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    is("a commit", admin.commit(&g, &t, BARE, 1), NONE);
    let mut each = Each::of(world, "over", CLUSTER, "kafka-cluster");
    let nowhere = world.unique("nowhere");
    each.check(
        "CreateTopics",
        (NONE, CREATES),
        TOPIC_AUTHORIZATION_FAILED,
        |line| created(line, &nowhere),
    );
    each.check(
        "ListGroups",
        (NONE, DESCRIBES),
        GROUP_AUTHORIZATION_FAILED,
        |line| {
            let answer = line.ask(4, &ListGroupsRequest::default());
            let listed = answer.groups.iter().any(|one| one.group_id == group(&g));
            if listed {
                answer.error_code
            } else {
                GROUP_AUTHORIZATION_FAILED
            }
        },
    );
    each.check(
        "Metadata",
        (NONE, &[]),
        TOPIC_AUTHORIZATION_FAILED,
        |line| line.describe(&t).error_code,
    );
}
