//! What becomes of access rules; and that nobody may do more on the target than on the source, whatever the rules.

use globset::{Glob, GlobSet, GlobSetBuilder};
use proptest::prelude::*;

use super::*;
use crate::model::acl::{Deed, may};

fn globs(of: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in of {
        set.add(Glob::new(glob).unwrap());
    }
    set.build().unwrap()
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn reach(topics: &[&str], exclude: &[&str], groups: &[&str], there: There) -> Reach {
    let (topics, exclude, groups) = (texts(topics), texts(exclude), texts(groups));
    Reach {
        scope: Scope {
            topics: globs(&topics),
            exclude_topics: globs(&exclude),
            literal_topics: topics
                .iter()
                .filter(|text| !text.contains('*'))
                .cloned()
                .collect(),
        },
        topics: Patterns::of(&topics).unwrap(),
        exclude_topics: Patterns::of(&exclude).unwrap(),
        groups: Patterns::of(&groups).unwrap(),
        exclude_groups: Patterns::default(),
        us: None,
        there,
    }
}

fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(ToString::to_string).collect()
}

/// `allow a Write topic pay…`, `deny * All group g from h`.
fn rule(text: &str) -> Rule {
    let (text, host) = text.split_once(" from ").unwrap_or((text, "*"));
    let words: Vec<&str> = text.split(' ').collect();
    let doing = match words[2] {
        "All" => Doing::All,
        "Read" => Doing::Read,
        "Write" => Doing::Write,
        "Describe" => Doing::Describe,
        "DescribeConfigs" => Doing::DescribeConfigs,
        "AlterConfigs" => Doing::AlterConfigs,
        _ => Doing::Other(12),
    };
    let kind = match words[3] {
        "topic" => Kind::Topic,
        "group" => Kind::Group,
        "id" => Kind::TransactionalId,
        "token" => Kind::DelegationToken,
        _ => Kind::Cluster,
    };
    Rule {
        kind,
        name: words[4].trim_end_matches('…').into(),
        prefixed: words[4].ends_with('…'),
        principal: format!("User:{}", words[1]),
        host: host.into(),
        doing,
        denies: words[0] == "deny",
    }
}

fn pay() -> Reach {
    let there = There {
        topics: set(&["orders", "pay-1", "pay-2"]),
        groups: set(&["billing", "audit"]),
        target_topics: set(&["orders", "pay-1"]),
        target_groups: BTreeSet::new(),
    };
    reach(&["orders", "pay-*"], &[], &["billing", "au*"], there)
}

/// What the rules become, and why, one line each.
fn becomes(rules: &[&str], reach: &Reach, writers: &[Writer]) -> Vec<String> {
    let rules: Vec<Rule> = rules.iter().map(|text| rule(text)).collect();
    let plan = plan(&rules, reach, writers);
    let line = |one: &Planned| {
        let fate = one.fate.as_ref().map_or("same", |(fate, _)| fate.word());
        let becomes: Vec<String> = one.becomes.iter().map(Rule::to_string).collect();
        format!("{fate}: {}", becomes.join(", "))
    };
    plan.all.iter().map(line).collect()
}

#[test]
fn rules_reach_as_far_as_the_scope_and_no_further() {
    let found = becomes(
        &[
            "allow a Read topic orders from 10.0.0.7",
            "allow a Read topic pay-…",
            "allow a Read topic pay…",
            "allow a Describe topic *",
            "allow a Read topic elsewhere",
            "allow a Read group audit",
            "allow a Read group au…",
            "allow a Read group *",
            "allow a Idempotent cluster kafka-cluster",
            "allow a Describe token *",
            "allow a Write id orders-…",
            "allow a Write id *",
            "allow b Write id orders-…",
        ],
        &pay(),
        &[],
    );
    assert_eq!(
        found,
        [
            "same: allow User:a Read on topic orders from 10.0.0.7",
            "same: allow User:a Read on topic pay-…",
            "narrowed: allow User:a Read on topic pay-1, allow User:a Read on topic pay-2",
            "narrowed: allow User:a Describe on topic orders, allow User:a Describe on topic pay-1, allow User:a Describe on topic pay-2",
            "same: allow User:a Read on group audit",
            "same: allow User:a Read on group au…",
            "narrowed: allow User:a Read on group audit, allow User:a Read on group billing",
            "left: ",
            "left: ",
            "same: allow User:a Write on transactional id orders-…",
            "left: ",
        ]
    );
}

#[test]
fn a_prefix_that_others_topics_share_is_narrowed() {
    let rules = ["allow a Read topic pay-…"];
    let mut reach = pay();
    assert_eq!(
        becomes(&rules, &reach, &[]),
        ["same: allow User:a Read on topic pay-…"]
    );
    let narrowed = ["narrowed: allow User:a Read on topic pay-1, allow User:a Read on topic pay-2"];
    reach.there.target_topics.insert("pay-of-others".into());
    assert_eq!(becomes(&rules, &reach, &[]), narrowed);
    let mut reach = pay();
    reach.exclude_topics = Patterns::of(&texts(&["pay-x*"])).unwrap();
    assert_eq!(becomes(&rules, &reach, &[]), narrowed);
}

#[test]
fn what_lets_an_application_write_waits_for_its_cutover() {
    let writer = |is_released| Writer {
        application: "orders".into(),
        principals: vec!["User:a".into()],
        is_released,
    };
    let rules = [
        "allow a Write topic orders",
        "allow a All topic pay-1",
        "allow a Read topic orders",
        "allow a Write id tx",
        "allow * Write topic orders",
        "allow b Write topic orders",
        "deny a Write topic pay-2",
    ];
    assert_eq!(
        becomes(&rules, &pay(), &[writer(false)]),
        [
            "same: deny User:a Write on topic pay-2",
            "waits: ",
            "waits: allow User:a Read on topic pay-1, allow User:a DescribeConfigs on topic pay-1",
            "same: allow User:a Read on topic orders",
            "same: allow User:a Write on transactional id tx",
            "waits: ",
            "same: allow User:b Write on topic orders",
        ]
    );
    let released = becomes(&rules, &pay(), &[writer(true)]);
    assert!(
        released.iter().all(|line| line.starts_with("same: ")),
        "{released:?}"
    );
    // One who writes for two waits for both.
    let other = Writer {
        application: "billing".into(),
        ..writer(false)
    };
    assert_eq!(
        becomes(&rules[..1], &pay(), &[writer(true), other]),
        ["waits: "]
    );
}

#[test]
fn what_a_denial_takes_is_not_given_without_it() {
    // The denial reaches beyond the scope, so that what it takes from is narrowed with it.
    let narrowed = becomes(
        &["allow a Read topic pay-…", "deny * Read topic *"],
        &pay(),
        &[],
    );
    assert_eq!(
        narrowed[1],
        "narrowed: allow User:a Read on topic pay-1, allow User:a Read on topic pay-2"
    );
    // This one cannot be carried, and so neither can what it takes from.
    let left = becomes(
        &[
            "allow a Read topic orders",
            "allow a Write id tx",
            "deny a Write id *",
        ],
        &pay(),
        &[],
    );
    assert_eq!(
        left,
        [
            "left: ",
            "same: allow User:a Read on topic orders",
            "left: "
        ]
    );
    // Of another operation or host it takes nothing.
    let rules = [
        "allow a Read topic pay-…",
        "deny a Write topic *",
        "deny b Read topic *",
    ];
    assert_eq!(
        becomes(&rules, &pay(), &[])[2],
        "same: allow User:a Read on topic pay-…"
    );
}

#[test]
fn only_what_is_missing_is_made_and_only_what_is_ours_is_removed() {
    let rules = [
        "allow a Read topic orders",
        "allow b Read topic orders",
        "deny c Read topic orders",
    ];
    let source: Vec<Rule> = rules.iter().map(|text| rule(text)).collect();
    let wanted = plan(&source, &pay(), &[]);
    let by_hand = rule("allow hand Read topic orders");
    let none = BTreeMap::new();
    let first = steps(
        &wanted,
        &BTreeSet::from([by_hand.clone(), source[0].clone()]),
        &none,
    );
    assert_eq!(
        (&first.denials, &first.allowances),
        (&vec![source[2].clone()], &vec![source[1].clone()])
    );
    assert!(first.remove.is_empty());

    let ours = BTreeMap::from([
        (source[1].clone(), RuleStage::Made),
        (source[2].clone(), RuleStage::Intended),
    ]);
    let all: BTreeSet<Rule> = source.iter().cloned().chain([by_hand.clone()]).collect();
    let second = steps(&wanted, &all, &ours);
    assert_eq!(
        second,
        Steps {
            landed: vec![source[2].clone()],
            ..Steps::default()
        }
    );

    // Taken away on the source: gone on the target only where it is ours.
    let nothing = plan(&[], &pay(), &[]);
    assert_eq!(
        steps(&nothing, &all, &ours).remove,
        [source[1].clone(), source[2].clone()]
    );
    // Taken away on the target: somebody wanted it so.
    let undone = steps(&wanted, &BTreeSet::from([source[0].clone()]), &ours);
    assert_eq!(undone.undone, [source[1].clone()]);
    assert_eq!(
        undone.denials,
        [source[2].clone()],
        "it was perhaps never made"
    );
    assert_eq!(steps(&nothing, &BTreeSet::new(), &ours).forget.len(), 2);
}

const PRINCIPALS: [&str; 3] = ["User:a", "User:b", "User:*"];
const HOSTS: [&str; 3] = ["*", "h1", "h2"];
const NAMES: [&str; 8] = ["a", "ab", "abc", "abd", "b", "kafka-migrate.x", "abx", "zz"];
const DOINGS: [Doing; 9] = [
    Doing::All,
    Doing::Read,
    Doing::Write,
    Doing::Create,
    Doing::Delete,
    Doing::Alter,
    Doing::Describe,
    Doing::DescribeConfigs,
    Doing::AlterConfigs,
];
const KINDS: [Kind; 4] = [
    Kind::Topic,
    Kind::Group,
    Kind::TransactionalId,
    Kind::Cluster,
];

fn rules(most: usize) -> impl Strategy<Value = Vec<Rule>> {
    let kind = prop_oneof![4 => Just(Kind::Topic), 2 => Just(Kind::Group), 2 => Just(Kind::TransactionalId), 1 => Just(Kind::Cluster)];
    let name = prop_oneof![
        4 => proptest::sample::select(&NAMES[..]).prop_map(|name| (name.to_owned(), false)),
        1 => Just(("*".to_owned(), false)),
        4 => proptest::sample::select(&["a", "ab", "abc", "b", "k"][..]).prop_map(|name| (name.to_owned(), true)),
    ];
    let one = (
        kind,
        name,
        proptest::sample::select(&PRINCIPALS[..]),
        proptest::sample::select(&HOSTS[..]),
        proptest::sample::select(&DOINGS[..]),
        proptest::bool::weighted(0.35),
    );
    let one = one.prop_map(
        |(kind, (name, prefixed), principal, host, doing, denies)| Rule {
            kind,
            name,
            prefixed,
            principal: principal.into(),
            host: host.into(),
            doing,
            denies,
        },
    );
    proptest::collection::vec(one, 0..most)
}

fn worlds() -> impl Strategy<Value = Reach> {
    let globs = || proptest::sample::subsequence(&["a", "ab*", "abc", "a*", "b", "*"][..], 0..4);
    let names = || proptest::sample::subsequence(&NAMES[..], 0..6).prop_map(|names| set(&names));
    let exclude = proptest::sample::subsequence(&["abd", "ab*", "x*"][..], 0..2);
    (
        globs(),
        exclude,
        globs(),
        names(),
        names(),
        names(),
        any::<bool>(),
    )
        .prop_map(|(topics, exclude, groups, here, there, of_groups, is_b)| {
            let mut reach = reach(&topics, &exclude, &groups, There::default());
            reach.us = is_b.then(|| "User:b".to_owned());
            let in_scope = |name: &String| reach.scope.has_topic(name, false);
            let topics = here.into_iter().filter(in_scope).collect();
            let groups = of_groups
                .iter()
                .filter(|name| reach.groups.matches(name))
                .cloned()
                .collect();
            reach.there = There {
                topics,
                groups,
                target_topics: there,
                target_groups: of_groups,
            };
            reach
        })
}

/// Everything that anybody may try.
fn deeds() -> impl Iterator<Item = Deed<'static>> {
    KINDS.into_iter().flat_map(|kind| {
        ["User:a", "User:b", "User:c"]
            .into_iter()
            .flat_map(move |principal| {
                ["h1", "h3"].into_iter().flat_map(move |host| {
                    DOINGS[1..].iter().flat_map(move |&doing| {
                        NAMES.into_iter().map(move |name| Deed {
                            principal,
                            host,
                            doing,
                            kind,
                            name,
                        })
                    })
                })
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// At every moment of bringing rules over, and also where the target refuses some of them: what may be done on the target may be done on the
    /// source, or could be done on the target before.
    #[test]
    fn nobody_may_do_more_than_on_the_source(
        source in rules(12),
        theirs in rules(4),
        reach in worlds(),
        is_released in any::<bool>(),
        refused in 0..4usize,
        everyone in any::<bool>(),
    ) {
        let writers = [Writer {
            application: "app".into(),
            principals: vec!["User:a".into()],
            is_released,
        }];
        let plan = plan(&source, &reach, &writers);
        if let Some(us) = &reach.us {
            let mut made = plan.all.iter().flat_map(|one| &one.becomes);
            prop_assert!(!made.any(|rule| rule.denies && rule.is_about(us)), "{:?}", plan.all);
        }
        let before: BTreeSet<Rule> = theirs.into_iter().collect();
        let steps = steps(&plan, &before, &BTreeMap::new());
        let mut target = before.clone();
        let check = |target: &BTreeSet<Rule>| {
            for deed in deeds() {
                let after = may(target, everyone, &deed);
                let was = may(&before, everyone, &deed);
                prop_assert!(
                    !after || was || may(&source, everyone, &deed),
                    "{deed:?} by {:?}", plan.all
                );
                // Until its cutover an application writes nothing that it could not write before.
                if !is_released && deed.kind == Kind::Topic && deed.principal == "User:a"
                    && !matches!(deed.doing, Doing::Read | Doing::Describe | Doing::DescribeConfigs)
                {
                    prop_assert!(!after || was, "{deed:?} by {:?}", plan.all);
                }
            }
            Ok(())
        };
        for rule in steps.denials.iter().skip(refused) {
            target.insert(rule.clone());
            check(&target)?;
        }
        let holds: Vec<Rule> = target.iter().filter(|rule| rule.denies).cloned().collect();
        for rule in &steps.allowances {
            if meets(rule, &plan.denials, &holds).is_none() {
                target.insert(rule.clone());
            }
        }
        check(&target)?;
    }

    /// What stands on the target by now needs nothing more, and what is gone on the source leaves nothing of ours.
    #[test]
    fn a_second_look_makes_nothing_and_an_empty_source_takes_all_away(
        source in rules(12),
        theirs in rules(4),
        reach in worlds(),
    ) {
        let before: BTreeSet<Rule> = theirs.into_iter().collect();
        let wanted = plan(&source, &reach, &[]);
        let first = steps(&wanted, &before, &BTreeMap::new());
        let made = first.denials.iter().chain(&first.allowances);
        let ours: BTreeMap<Rule, RuleStage> =
            made.clone().map(|rule| (rule.clone(), RuleStage::Made)).collect();
        let after: BTreeSet<Rule> = before.iter().chain(made).cloned().collect();
        prop_assert_eq!(steps(&wanted, &after, &ours), Steps::default());
        let nothing = plan(&[], &reach, &[]);
        let last = steps(&nothing, &after, &ours);
        let left: BTreeSet<Rule> =
            after.into_iter().filter(|rule| !last.remove.contains(rule)).collect();
        prop_assert_eq!(left, before);
    }
}
