//! Runbooks of made migrations, as people read them: with our own engine, one way, and with MSK Replicator; with nothing but the file.

use super::*;

fn application(name: &str, reads: &[&str], writes: &[&str]) -> Application {
    let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
    Application {
        name: name.into(),
        stands: Some("on the source".into()),
        reads: owned(reads),
        writes: owned(writes),
        groups: owned(&[name]),
        shared: Vec::new(),
        stop: Some("hooks/stop.sh".into()),
        start: Some("hooks/start.sh".into()),
        within: "1m".into(),
    }
}

fn runbook() -> Runbook {
    Runbook {
        at: "2026-01-31T15:00:00.000Z".into(),
        migration: "orders".into(),
        command: "kafka-migrate -c orders.toml".into(),
        clusters: [Some("Aaa".into()), None],
        bootstrap: ["kafka1:9096,kafka2:9096".into(), "b-1.msk:9098".into()],
        two_way: true,
        msk: None,
        waves: vec![
            vec![application("order-status", &["orders"], &["order_status"])],
            vec![Application {
                shared: vec!["orders".into()],
                stop: None,
                start: None,
                groups: Vec::new(),
                ..application("orders' shop", &[], &["orders"])
            }],
        ],
        by_group: false,
        unclaimed: Some(vec!["payments".into()]),
        groups_of_none: Some(Vec::new()),
        hold: "1m".into(),
        not_looked_at: vec!["the target: it did not answer (K201)".into()],
    }
}

#[test]
fn the_runbook_as_people_read_it() {
    insta::assert_snapshot!("runbook", runbook().markdown());
}

#[test]
fn with_msk_replicator_it_says_what_only_a_person_can_do() {
    let runbook = Runbook {
        msk: Some(ByMsk {
            commands: vec![("the role".into(), vec!["aws iam create-role".into()])],
            checks: vec![(
                "The cluster".into(),
                vec!["aws kafka describe-cluster-v2".into()],
            )],
        }),
        two_way: false,
        ..runbook()
    };
    let text = runbook.markdown();
    for wanted in [
        "kafka-migrate -c orders.toml preflight --from-here --out vantage.json",
        "Only you can do this: the role.",
        "```bash\naws kafka describe-cluster-v2\n```",
        "Copied by: MSK Replicator",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    // It always has a way back.
    assert!(
        !text.contains("--no-way-back") && !text.contains("--leave-target-data"),
        "{text}"
    );
    assert!(
        runbook
            .html()
            .contains("<h1>Runbook of <code>orders</code></h1>")
    );
}

#[test]
fn without_a_way_back_it_says_so_in_every_command_that_needs_it() {
    let runbook = Runbook {
        two_way: false,
        waves: vec![vec![application("a b", &[], &[])]],
        unclaimed: None,
        groups_of_none: None,
        ..runbook()
    };
    let text = runbook.markdown();
    for wanted in [
        "cutover --app 'a b' --confirm orders --no-way-back",
        "rollback --app 'a b' --confirm orders --leave-target-data",
        "Topics that no application writes: not looked at.",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn nobody_known_is_said() {
    let text = Runbook {
        waves: Vec::new(),
        ..runbook()
    }
    .markdown();
    assert!(text.contains("No application is known"), "{text}");
}
