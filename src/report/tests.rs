//! The whole report of made journals, as people read it; and that nothing in it is a tag, whatever things are called.

use super::{
    moves::tests::Story,
    numbers::{Numbers, Sample},
    verified::Found,
    *,
};
use crate::run::state::{End, Record};

const BEGIN: i64 = 1_769_868_000_000;

fn samples() -> Vec<Sample> {
    let sample = |since: i64, lag: u64, back: Option<u64>| {
        let numbers = |lag: u64| Numbers {
            lag,
            behind_ms: (lag > 0).then_some(lag * 2),
            records: 5000,
            bytes: 1_000_000,
            stopped: 0,
        };
        Sample {
            since_ms: BEGIN + since * 1000,
            at_ms: BEGIN + (since + 10) * 1000,
            there: Some(numbers(lag)),
            back: back.map(numbers),
        }
    };
    vec![
        sample(60, 90_000, None),
        sample(70, 400, Some(3)),
        // Nothing ran for four minutes.
        sample(320, 12, Some(2)),
    ]
}

fn report(story: &Story) -> Report {
    Report {
        v: VERSION,
        at: "2026-01-31T15:00:00.000Z".into(),
        event: "report",
        migration: "orders".into(),
        backend: "embedded",
        program: "0.1.0".into(),
        two_way: true,
        source_cluster: Some("Aaa".into()),
        target_cluster: None,
        topics: vec!["orders".into(), "order_*".into()],
        groups: Vec::new(),
        journal: true,
        now: Now {
            copier: Some("our own engine: it runs".into()),
            topics: Some(2),
            partitions: Some(12),
            message_lag: Some(3),
            stopped: Some(vec![Stopped {
                direction: "forward",
                topic: "orders".into(),
                partition: 7,
                code: "K501".into(),
                reason: "the source begins at 40".into(),
            }]),
            way_back: Some(WayBack {
                open: true,
                why: "the engine copies back, with 0 offsets to pass".into(),
            }),
        },
        applications: vec![Standing {
            name: "order-status".into(),
            at: Some("target".into()),
            moving_to: None,
            words: "on the target".into(),
        }],
        commands: vec![Command {
            at_ms: BEGIN,
            command: "cutover".into(),
            host: "ferry".into(),
            version: "0.1.0".into(),
        }],
        waived: vec![Waiver {
            gate: "G212".into(),
            application: None,
            reason: "nobody goes back".into(),
            by: "ann on ferry".into(),
            at_ms: BEGIN,
        }],
        moves: moves::of(&story.0),
        over_time: OverTime::of(samples(), Some(BEGIN), BEGIN + 400_000),
        verified: Some(Verified {
            at_ms: BEGIN + 390_000,
            verdict: "same".into(),
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            partitions: 12,
            took_ms: 2345,
            there: Found {
                matching: 15_000,
                ..Found::default()
            },
            back: Some(Found::default()),
        }),
        not_looked_at: vec!["the target: it did not answer (K201)".into()],
    }
}

#[test]
fn the_report_as_people_read_it() {
    let mut story = Story::begun();
    story.moves(0, "cutover", 100_000);
    insta::assert_snapshot!("report", report(&story).markdown());
}

#[test]
fn an_empty_directory_says_what_is_not_known() {
    let empty = Report {
        source_cluster: None,
        topics: Vec::new(),
        journal: false,
        now: Now::default(),
        applications: Vec::new(),
        commands: Vec::new(),
        waived: Vec::new(),
        moves: Vec::new(),
        over_time: OverTime::default(),
        verified: None,
        ..report(&Story::begun())
    };
    insta::assert_snapshot!("empty", empty.markdown());
    assert!(empty.html().contains("Not verified"));
}

/// Every tag is closed, in order; answers with the names of all.
fn balanced(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let (_, body) = html.split_once("</style>").expect("it has a style");
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece
            .split_once('>')
            .unwrap_or_else(|| panic!("a tag is open: {piece}"));
        let quotes = tag.matches('"').count();
        assert_eq!(quotes % 2, 0, "{tag}");
        let name = |tag: &str| tag.split([' ', '/']).next().unwrap_or_default().to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            if !["head", "body", "html"].contains(&closed) {
                assert_eq!(open.pop().as_deref(), Some(closed), "{tag}");
            }
        } else if !tag.ends_with('/') && name(tag) != "body" {
            open.push(name(tag));
        }
        all.push(name(tag));
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn whatever_things_are_called_the_page_stays_whole_and_fetches_nothing() {
    let evil = "</td><script>alert(1)</script><img src=x onerror=\"y\">'&";
    let mut story = Story::begun();
    story.moves(0, "cutover", 100_000);
    let plan = 1;
    story
        .plans(200_000, plan, "rollback")
        .does(plan, 1, 200_100, 201_000, evil)
        .fails(plan, 3, 202_000)
        .says(
            202_000,
            Record::Undone {
                plan,
                step: 1,
                said: evil.into(),
            },
        )
        .ends(plan, 203_000, End::Undone);
    let mut report = report(&story);
    for name in [
        &mut report.migration,
        &mut report.applications[0].name,
        &mut report.waived[0].reason,
        &mut report.not_looked_at[0],
        &mut report.topics[0],
    ] {
        evil.clone_into(name);
    }
    let first = &mut report.moves[0];
    for name in [
        &mut first.application,
        &mut first.groups[0].group,
        &mut first.steps[0].name,
    ] {
        evil.clone_into(name);
    }
    let html = report.html();
    let tags = balanced(&html);
    for never in ["script", "img", "link", "iframe"] {
        assert!(!tags.iter().any(|tag| tag == never), "{never}");
    }
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("url("));
    assert_eq!(
        tags.iter().filter(|tag| *tag == "svg").count(),
        6,
        "four plots, two moves"
    );
    let markdown = report.markdown();
    assert!(
        !markdown.contains("\n<") && !markdown.contains("| </td"),
        "{markdown}"
    );
    // As JSON it comes back as it was.
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["moves"][0]["groups"][0]["group"], evil);
    assert_eq!(json["moves"][0]["groups"][0]["measured"], 12);
}
