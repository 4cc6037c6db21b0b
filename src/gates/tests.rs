//! Every gate says pass where all is well, block where it is not, and unknown where it could not look.

mod cases;

use self::cases::*;
use super::*;
use crate::{
    cluster::{Everyone, Fidelity, Operation, Operations, Probe, ScramUser},
    engine::{
        ledger::synced::{Standing, What},
        status::EngineState,
    },
    model::{
        names::{Side, TopicPartition},
        numbers,
    },
    observe::{
        AclsSeen, AmazonSeen, BackSeen, BatchSeen, ClockSeen, FollowsSeen, GroupKind, GroupSeen,
        GroupsSeen, Latency, OtherCopies, OtherSeen, Refusal, StoppedSeen, TopicSeen, Trouble,
        Waiting, example,
    },
};

#[test]
fn every_gate_passes_where_all_is_well_blocks_where_it_is_not_and_knows_when_it_could_not_look() {
    let coded: Vec<&str> = GATES.iter().map(|gate| gate.code).collect();
    let cased: Vec<&str> = CASES.iter().map(|case| case.0).collect();
    assert_eq!(
        coded, cased,
        "each gate has a case, in the order of the table"
    );
    for (code, block, unknown) in CASES {
        let well = verdict(code, None);
        let unknown = verdict(code, Some(*unknown));
        assert_eq!(unknown.verdict, Answer::Unknown, "{code}: {unknown:?}");
        assert!(!unknown.evidence.is_empty(), "{code} does not say why");
        // Two are never in the way, one of which nobody can answer here.
        if matches!(*code, "G305" | "G315" | "G316") {
            assert_ne!(well.verdict, Answer::Block, "{well:?}");
            continue;
        }
        assert_eq!(
            well.verdict,
            Answer::Pass,
            "{code} where all is well: {well:?}"
        );
        let blocked = verdict(code, Some(*block));
        // What does not follow the source keeps no record from being copied.
        let only_warns = matches!(*code, "G130" | "G131" | "G132" | "G133");
        let worst = if only_warns {
            Answer::Warn
        } else {
            Answer::Block
        };
        assert_eq!(blocked.verdict, worst, "{code}: {blocked:?}");
        assert!(
            blocked.fix.is_some(),
            "{code} blocks and does not say what to do"
        );
        assert_eq!(blocked.holds_up, !only_warns);
    }
}

#[test]
fn with_nothing_observed_no_gate_passes() {
    let mut seen = example::green();
    seen.source.brokers = not();
    seen.target.brokers = not();
    seen.source.clock = not();
    seen.source.id = None;
    seen.topics = not();
    seen.engine = not();
    (seen.reverse, seen.back, seen.follows) = (not(), None, None);
    seen.source_groups = not();
    seen.target_groups = not();
    seen.others = not();
    (seen.fidelity, seen.commits_denied) = (not(), not());
    seen.source.clients = not();
    (seen.source.quotas, seen.target.everyone) = (not(), not());
    let rights = &mut seen.engine_rights;
    (rights.creation, rights.write, rights.transactions) = (not(), not(), not());
    let metrics = &mut seen.metrics;
    (
        metrics.replicator_failure,
        metrics.offset_sync_failure,
        metrics.source_ping,
    ) = (not(), not(), not());
    (
        metrics.message_lag,
        metrics.replication_latency,
        metrics.source_offset_lag,
    ) = (not(), not(), not());
    (metrics.groups, metrics.waiting, metrics.auth_errors) = (not(), not(), not());
    seen.amazon = None;
    for gate in GATES {
        let verdict = gate.verdict(&seen, &Limits::default(), &[]);
        assert_eq!(verdict.verdict, Answer::Unknown, "{verdict:?}");
    }
}

#[test]
fn what_is_too_old_decides_nothing() {
    let mut seen = example::green();
    seen.metrics.message_lag = Known::seen(0).aged(std::time::Duration::from_secs(31));
    let verdict = find("G204")
        .unwrap()
        .verdict(&seen, &Limits::default(), &[]);
    assert_eq!(verdict.verdict, Answer::Unknown);
    assert_eq!(verdict.evidence, "what was seen is 31s old");
}

#[test]
fn codes_and_names_are_told_apart_and_names_are_statements() {
    let mut codes: Vec<&str> = GATES.iter().map(|gate| gate.code).collect();
    let mut names: Vec<&str> = GATES.iter().map(|gate| gate.name).collect();
    assert!(codes.is_sorted(), "{codes:?}");
    codes.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((codes.len(), names.len()), (GATES.len(), GATES.len()));
    for gate in GATES {
        assert!(gate.question.ends_with('?'), "{}", gate.question);
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(gate.name.bytes().all(kebab), "{}", gate.name);
    }
}

#[test]
fn a_waiver_lets_a_block_or_an_unknown_through_and_says_why() {
    let waivers = [Waiver {
        code: "G204".into(),
        reason: "the last topic is idle".into(),
    }];
    let mut seen = example::green();
    seen.metrics.message_lag = Known::seen(5000);
    let limits = Limits::default();
    let waived = find("G204").unwrap().verdict(&seen, &limits, &waivers);
    assert_eq!((waived.verdict, waived.holds_up), (Answer::Block, false));
    assert_eq!(waived.waived.as_deref(), Some("the last topic is idle"));
    // Where nothing is in the way there is nothing to waive.
    let open = find("G204")
        .unwrap()
        .verdict(&example::green(), &limits, &waivers);
    assert_eq!((open.verdict, open.waived), (Answer::Pass, None));
    let other = find("G205").unwrap().verdict(&seen, &limits, &waivers);
    assert_eq!(other.waived, None);
}

#[test]
fn growing_lag_blocks_although_it_is_below_the_limit() {
    let with = |points: &[(u64, u64)]| {
        let mut seen = example::green();
        seen.metrics.message_lag = Known::seen(points.last().unwrap().1);
        seen.trend.message_lag = points.to_vec();
        find("G204")
            .unwrap()
            .verdict(&seen, &Limits::default(), &[])
    };
    let grows = with(&[(60_000, 3), (30_000, 40), (0, 200)]);
    assert_eq!(grows.verdict, Answer::Block, "{grows:?}");
    assert!(
        grows.evidence.contains("it grows, from 3 to 200 in 1m"),
        "{}",
        grows.evidence
    );
    // Not for long enough; not at enough looks; not all the time; not at all; so slowly that traffic alone explains it.
    for points in [
        &[(59_000, 3), (30_000, 40), (0, 200)][..],
        &[(60_000, 3), (0, 200)],
        &[(60_000, 3), (30_000, 0), (0, 200)],
        &[(60_000, 200), (30_000, 200), (0, 200)],
        &[(60_000, 3), (30_000, 5), (0, 9)],
    ] {
        assert_eq!(with(points).verdict, Answer::Pass, "{points:?}");
    }
}

#[test]
fn groups_that_are_not_active_are_not_expected_and_all_differences_are_named() {
    let mut seen = example::green();
    let groups = value(&mut seen.metrics.groups);
    groups.expected = vec!["a".into(), "b".into()];
    groups.idle = vec!["asleep".into()];
    groups.present = vec!["a".into(), "stranger".into()];
    let ask = |seen: &Observation| find("G207").unwrap().verdict(seen, &Limits::default(), &[]);
    let lacking = ask(&seen);
    assert_eq!(lacking.verdict, Answer::Block);
    assert_eq!(lacking.evidence, "ConsumerGroupCount 2, expected 2");
    assert_eq!(
        lacking.because,
        [
            "not on the target: b",
            "not active in the last 24 hours, so not expected: asleep"
        ]
    );
    value(&mut seen.metrics.groups).present =
        vec!["a".into(), "asleep".into(), "b".into(), "stranger".into()];
    let strange = ask(&seen);
    assert_eq!(
        (strange.verdict, &*strange.because[0]),
        (Answer::Warn, "only on the target: stranger")
    );
}

#[test]
fn an_application_is_asked_about_alone() {
    let mut seen = example::green();
    let others = GroupSeen {
        name: "billing".into(),
        subscribed: Some(vec!["payments".into()]),
        ..GroupSeen::default()
    };
    value(&mut seen.source_groups).groups.push(others);
    let whole = |seen: &Observation| find("G215").unwrap().verdict(seen, &Limits::default(), &[]);
    assert_eq!(whole(&seen).because, ["group billing reads payments"]);
    let application = seen.applications[0].clone();
    let narrowed = seen.of_application(&application);
    assert_eq!(whole(&narrowed).verdict, Answer::Pass);
    assert_eq!(narrowed.asked.application.as_deref(), Some("order-status"));
}

#[test]
fn two_writers_of_a_compacted_topic_block_the_move_of_one_of_them() {
    let mut seen = example::green();
    for topic in value(&mut seen.topics) {
        value(&mut topic.source_settings).compacts = true;
    }
    let mut second = seen.applications[0].clone();
    second.name = "backoffice".into();
    seen.applications.push(second);
    let ask = |seen: &Observation| find("G213").unwrap().verdict(seen, &Limits::default(), &[]);
    assert_eq!(ask(&seen).verdict, Answer::Pass, "all move together");
    let application = seen.applications[0].clone();
    let alone = ask(&seen.of_application(&application));
    assert_eq!(alone.verdict, Answer::Block);
    assert_eq!(
        alone.because,
        ["order_status is also written by backoffice"]
    );
}

#[test]
fn commands_give_exactly_what_is_missing_to_who_logs_in() {
    let mut seen = example::green();
    seen.source.user = Some("migrator".into());
    seen.source.bootstrap = vec!["kafka1:9096".into()];
    first(&mut seen).source_rights =
        Known::seen(Operations::from([crate::cluster::Operation::Describe]));
    let verdict = find("G106")
        .unwrap()
        .verdict(&seen, &Limits::default(), &[]);
    assert_eq!(verdict.because, ["orders: no Read, DescribeConfigs"]);
    assert_eq!(
        verdict.commands,
        [
            "kafka-acls --bootstrap-server kafka1:9096 --command-config admin.properties --add --allow-principal User:migrator --operation Read --operation DescribeConfigs --topic orders"
        ]
    );
}

#[test]
fn groups_that_the_cluster_hides_are_not_taken_for_none() {
    let mut seen = example::green();
    seen.source_groups = Known::seen(GroupsSeen::default());
    let verdict = find("G111")
        .unwrap()
        .verdict(&seen, &Limits::default(), &[]);
    assert_eq!(verdict.verdict, Answer::Unknown);
    assert_eq!(verdict.commands.len(), 1);
    assert!(
        verdict.commands[0].ends_with("--operation Describe --cluster"),
        "{:?}",
        verdict.commands
    );
}

#[test]
fn data_of_others_on_the_target_blocks_until_the_file_says_that_it_stays() {
    let mut seen = example::green();
    first(&mut seen).met = Known::seen(false);
    let ask = |seen: &Observation| find("G118").unwrap().verdict(seen, &Limits::default(), &[]);
    assert_eq!(ask(&seen).verdict, Answer::Block);
    first(&mut seen).keeps_existing = true;
    let kept = ask(&seen);
    assert_eq!(kept.verdict, Answer::Pass, "{kept:?}");
    assert!(
        kept.evidence.contains("1 whose data stays before ours"),
        "{}",
        kept.evidence
    );
}

#[test]
fn an_engine_that_does_not_run_says_which_way() {
    let mut seen = example::green();
    seen.metrics.replicator_failure = Known::seen(1);
    value(&mut seen.engine).state = EngineState::Silent;
    let verdict = find("G201")
        .unwrap()
        .verdict(&seen, &Limits::default(), &[]);
    assert!(verdict.evidence.contains("silent"), "{}", verdict.evidence);
}

#[test]
fn quotas_count_for_every_broker_and_the_slower_side_decides() {
    let mut seen = example::green();
    value(&mut seen.source.quotas).consume = Some(2e6);
    value(&mut seen.target.quotas).produce = Some(1e6);
    let ask = |seen: &Observation| {
        let gate = find("G114").expect("it is in the table");
        gate.verdict(seen, &Limits::default(), &[])
    };
    let said = ask(&seen);
    assert_eq!(said.verdict, Answer::Warn);
    // Three brokers on each side.
    let in_all = format!("quotas let through {}", numbers::rate(3e6));
    assert!(said.evidence.starts_with(&in_all), "{said:?}");
    assert!(said.commands[0].contains("producer_byte_rate="), "{said:?}");
    // Less than what is needed of a broker's threads is worth a word, and no more.
    let mut seen = example::green();
    value(&mut seen.target.quotas).requests = Some(5.0);
    let said = ask(&seen);
    assert_eq!(said.verdict, Answer::Warn);
    assert!(said.because[0].contains("5 %"), "{said:?}");
}

#[test]
fn a_probe_that_could_not_be_removed_again_is_named() {
    let mut seen = example::green();
    seen.fidelity = Known::seen(Fidelity::Tried {
        brokers: 1,
        batches: 5,
        changed: Vec::new(),
        left: Some("the topic is marked for deletion".into()),
    });
    let gate = find("G122").expect("it is in the table");
    let said = gate.verdict(&seen, &Limits::default(), &[]);
    assert_eq!(said.verdict, Answer::Warn);
    assert_eq!(said.because, ["the topic is marked for deletion"]);
    let fix = said.fix.unwrap_or_default();
    assert!(fix.contains("kafka-migrate.orders.probe"), "{fix}");
}
