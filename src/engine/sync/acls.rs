//! Access rules that follow the source: which, narrowed to what, and which have to wait; pure.
//!
//! 1. **Nothing is widened.** What these rules let somebody do on the target the source lets them do too: a rule that allows is made only where
//!    every rule of the source that takes from it is there as well.
//! 2. A rule reaches no further than the scope: where it does on the source, it is made for each name in scope instead.
//! 3. Rules that let an application's principals write wait until the application may write on the target.
//! 4. A rule of the target that is not on record as ours is nobody's business.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    engine::ledger::synced::{Fate, RuleStage, RuleStanding},
    model::{
        acl::{Doing, EVERY_NAME, EVERYBODY, Kind, Rule},
        patterns::Patterns,
        scope::{self, Scope},
    },
};

/// How names of ours begin: transactional ids by which engines are shut out, and topics.
const OURS: &str = "kafka-migrate";
/// What a rule that allows everything is until its principal may write.
const UNTIL_THEN: [Doing; 2] = [Doing::Read, Doing::DescribeConfigs];

/// What is in scope, by rule and by name.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Which topics.
    pub scope: Scope,
    /// The same as it was written.
    pub topics: Patterns,
    /// Topics left out, as it was written.
    pub exclude_topics: Patterns,
    /// Which groups.
    pub groups: Patterns,
    /// Groups left out.
    pub exclude_groups: Patterns,
    /// As whom this program writes the target.
    pub us: Option<String>,
    /// What is there.
    pub there: There,
}

/// Topics and groups that are there.
#[derive(Debug, Clone, Default)]
pub struct There {
    /// Topics of the source in scope.
    pub topics: BTreeSet<String>,
    /// Groups of the source in scope.
    pub groups: BTreeSet<String>,
    /// All topics of the target.
    pub target_topics: BTreeSet<String>,
    /// All groups of the target, as far as it shows them.
    pub target_groups: BTreeSet<String>,
}

/// An application, and who writes in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The application.
    pub application: String,
    /// Its principals.
    pub principals: Vec<String>,
    /// It may write on the target.
    pub is_released: bool,
}

/// A rule of the source, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// As it stands on the source.
    pub rule: Rule,
    /// What stands for it on the target.
    pub becomes: Vec<Rule>,
    /// What there is to say of it; `None` where it is made as it is.
    pub fate: Option<(Fate, String)>,
}

/// What the target should hold, and what becomes of each rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Rules about what is in scope.
    pub all: Vec<Planned>,
    /// How many there are about what is not.
    pub elsewhere: usize,
    /// Rules that deny, of the whole source.
    pub denials: Vec<Rule>,
}

/// How the target comes to hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Rules to make that deny: the first to be made.
    pub denials: Vec<Rule>,
    /// Rules to make that allow.
    pub allowances: Vec<Rule>,
    /// Rules of ours to remove.
    pub remove: Vec<Rule>,
    /// Rules of ours that somebody has removed: they are not made again.
    pub undone: Vec<Rule>,
    /// On record as about to be made, and there.
    pub landed: Vec<Rule>,
    /// On record, wanted by nobody, and not there.
    pub forget: Vec<Rule>,
}

/// What is to become of every rule of the source.
pub fn plan(source: &[Rule], reach: &Reach, writers: &[Writer]) -> Plan {
    let names = Names::of(source, reach);
    let members: BTreeSet<&str> = source
        .iter()
        .filter(|rule| rule.kind == Kind::Topic)
        .filter(|rule| names.of_rule(rule).next().is_some() || reach.has_all_of(rule))
        .map(|rule| &*rule.principal)
        .chain(
            writers
                .iter()
                .flat_map(|one| one.principals.iter().map(String::as_str)),
        )
        .collect();
    let mut plan = Plan::default();
    let (denials, allowances): (Vec<&Rule>, Vec<&Rule>) =
        source.iter().partition(|rule| rule.denies);
    plan.denials = denials.iter().map(|rule| (*rule).clone()).collect();
    let mut made: Vec<Rule> = Vec::new();
    for rule in denials {
        match carried(rule, reach, &names, &members) {
            None => plan.elsewhere += 1,
            Some(planned) => {
                made.extend(planned.becomes.iter().cloned());
                plan.all.push(planned);
            }
        }
    }
    for rule in allowances {
        let Some(mut planned) = carried(rule, reach, &names, &members) else {
            plan.elsewhere += 1;
            continue;
        };
        stage(&mut planned, writers);
        if planned
            .becomes
            .iter()
            .any(|rule| meets(rule, &plan.denials, &made).is_some())
        {
            narrow(&mut planned, &names, &plan.denials, &made);
        }
        plan.all.push(planned);
    }
    plan
}

/// A denial of the source that takes from a rule which allows, and that nothing on the target stands for.
pub fn meets<'a>(allowing: &Rule, denials: &'a [Rule], on_target: &[Rule]) -> Option<&'a Rule> {
    let mut taking = denials.iter().filter(|denial| denial.takes_from(allowing));
    taking.find(|denial| {
        denial.common(allowing).is_some_and(|names| {
            !on_target
                .iter()
                .any(|there| there.stands_for(denial, names))
        })
    })
}

/// What one rule becomes, apart from who has to wait, and from what others take from it. `None`: it is about nothing in scope.
fn carried(rule: &Rule, reach: &Reach, names: &Names, members: &BTreeSet<&str>) -> Option<Planned> {
    let planned = |becomes: Vec<Rule>, fate: Option<(Fate, &str)>| {
        let fate = fate.map(|(fate, why)| (fate, why.to_owned()));
        let rule = rule.clone();
        Some(Planned {
            rule,
            becomes,
            fate,
        })
    };
    let left = |why| planned(Vec::new(), Some((Fate::Left, why)));
    let names_us = reach.us.as_ref().is_some_and(|us| *us == rule.principal);
    if names_us && !rule.denies {
        return None;
    }
    let is_about_us = reach.us.as_ref().is_some_and(|us| rule.is_about(us));
    match rule.kind {
        Kind::Topic | Kind::Group
            if names.of_rule(rule).next().is_none() && !reach.has_all_of(rule) =>
        {
            None
        }
        Kind::Topic | Kind::Group | Kind::TransactionalId if rule.denies && is_about_us => {
            left("it would keep this program itself out of the target")
        }
        Kind::Topic | Kind::Group => {
            if reach.has_all_of(rule) {
                return planned(vec![rule.clone()], None);
            }
            let becomes: Vec<Rule> = names.of_rule(rule).map(|name| rule.at(name)).collect();
            planned(becomes, Some((Fate::Narrowed, NARROWED)))
        }
        Kind::TransactionalId if !members.contains(&*rule.principal) => None,
        Kind::TransactionalId => {
            let begins = if rule.is_on_all() { "" } else { &rule.name };
            let is_open = rule.prefixed || rule.is_on_all();
            let reaches_ours = begins.starts_with(OURS) || is_open && OURS.starts_with(begins);
            match reaches_ours {
                true => left(
                    "it reaches the transactional ids by which this program's engines are shut out; name the application's own",
                ),
                false => planned(vec![rule.clone()], None),
            }
        }
        Kind::Cluster => left("what may be done to a cluster as a whole is decided there"),
        Kind::DelegationToken | Kind::User => {
            left("delegation tokens are of one cluster and do not move")
        }
        Kind::Other(_) => left("this program does not know what it is about"),
    }
}

const NARROWED: &str = "it reaches beyond the scope: made for each name in scope";

/// What lets a principal write waits until its application may.
fn stage(planned: &mut Planned, writers: &[Writer]) {
    let rule = &planned.rule;
    let writes = matches!(
        rule.doing,
        Doing::All
            | Doing::Write
            | Doing::Create
            | Doing::Delete
            | Doing::Alter
            | Doing::AlterConfigs
    );
    if rule.kind != Kind::Topic || !writes {
        return;
    }
    let is_of = |one: &&Writer| {
        one.principals
            .iter()
            .any(|principal| rule.is_about(principal))
    };
    let Some(waits) = writers.iter().filter(|one| !one.is_released).find(is_of) else {
        return;
    };
    let until_then: &[Doing] = if rule.doing == Doing::All {
        &UNTIL_THEN
    } else {
        &[]
    };
    planned.becomes = planned
        .becomes
        .iter()
        .flat_map(|rule| {
            until_then.iter().map(|&doing| Rule {
                doing,
                ..rule.clone()
            })
        })
        .collect();
    let until = match until_then.is_empty() {
        true => "",
        false => "; until then it may read",
    };
    let everybody = if rule.principal == EVERYBODY {
        ", whose principals it is about too"
    } else {
        ""
    };
    let reason = format!(
        "waits for the cutover of {}{everybody}{until}",
        waits.application
    );
    planned.fate = Some((Fate::Waits, reason));
}

/// Makes of a rule that allows what no denial that is missing takes anything from.
fn narrow(planned: &mut Planned, names: &Names, denials: &[Rule], made: &[Rule]) {
    let mut kept = Vec::new();
    let mut missing = None;
    for rule in std::mem::take(&mut planned.becomes) {
        if meets(&rule, denials, made).is_none() {
            kept.push(rule);
            continue;
        }
        let each: Vec<Rule> = match rule.kind {
            Kind::Topic | Kind::Group => names.of_rule(&rule).map(|name| rule.at(name)).collect(),
            _ => vec![rule],
        };
        for one in each {
            match meets(&one, denials, made) {
                None => kept.push(one),
                Some(denial) => missing = Some(denial.to_string()),
            }
        }
    }
    planned.becomes = kept;
    if planned
        .fate
        .as_ref()
        .is_some_and(|(fate, _)| *fate == Fate::Waits)
    {
        return;
    }
    let is_left = planned.becomes.is_empty();
    planned.fate = Some(match missing {
        Some(denial) => {
            let fate = if is_left { Fate::Left } else { Fate::Narrowed };
            (
                fate,
                format!("without `{denial}`, which is not carried, it would allow more"),
            )
        }
        None => (
            Fate::Narrowed,
            "a rule that denies part of it is narrowed: made for each name in scope".to_owned(),
        ),
    });
}

/// How the target comes from what it holds to what it should. `ours`: what is on record.
pub fn steps(plan: &Plan, target: &BTreeSet<Rule>, ours: &BTreeMap<Rule, RuleStage>) -> Steps {
    let wanted: BTreeSet<&Rule> = plan.all.iter().flat_map(|one| &one.becomes).collect();
    let mut steps = Steps::default();
    for &rule in &wanted {
        if target.contains(rule) {
            if ours.get(rule) == Some(&RuleStage::Intended) {
                steps.landed.push(rule.clone());
            }
        } else if ours.get(rule) == Some(&RuleStage::Made) {
            steps.undone.push(rule.clone());
        } else if rule.denies {
            steps.denials.push(rule.clone());
        } else {
            steps.allowances.push(rule.clone());
        }
    }
    for rule in ours.keys().filter(|rule| !wanted.contains(rule)) {
        if target.contains(rule) {
            steps.remove.push(rule.clone());
        } else {
            steps.forget.push(rule.clone());
        }
    }
    steps
}

impl Plan {
    /// What there is to say of rules, for people.
    pub fn standings(&self) -> impl Iterator<Item = RuleStanding> {
        self.all.iter().filter_map(|one| {
            let (fate, reason) = one.fate.as_ref()?;
            Some(RuleStanding {
                rule: one.rule.to_string(),
                fate: *fate,
                reason: reason.clone(),
            })
        })
    }
}

impl Reach {
    /// Is everything that a rule on topics or groups reaches in scope, on both clusters, today and whatever is made later?
    fn has_all_of(&self, rule: &Rule) -> bool {
        let is_open = rule.prefixed || rule.is_on_all();
        if !is_open {
            return self.has(rule.kind, &rule.name);
        }
        let begins = if rule.is_on_all() { "" } else { &rule.name };
        let (patterns, exclude) = match rule.kind {
            Kind::Topic => (&self.topics, &self.exclude_topics),
            _ => (&self.groups, &self.exclude_groups),
        };
        let is_covered = patterns.texts().iter().any(|text| {
            let literal = text.strip_suffix('*');
            literal.is_some_and(|literal| !has_wildcard(literal) && begins.starts_with(literal))
        });
        let is_cut = exclude.texts().iter().any(|text| {
            let literal = text.split(['*', '?', '[', '{', '\\']).next().unwrap_or("");
            literal.starts_with(begins) || begins.starts_with(literal)
        });
        let is_reserved = rule.kind == Kind::Topic && scope::begins_reserved(begins);
        let (here, there) = match rule.kind {
            Kind::Topic => (&self.there.topics, &self.there.target_topics),
            _ => (&self.there.groups, &self.there.target_groups),
        };
        let is_of_others = there
            .iter()
            .any(|name| name.starts_with(begins) && !here.contains(name));
        is_covered && !is_cut && !is_reserved && !is_of_others
    }

    fn has(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Topic => self.scope.has_topic(name, false),
            _ => self.groups.matches(name) && !self.exclude_groups.matches(name),
        }
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

/// Names in scope that rules can be made for: of what is there, and of what rules of the source name.
struct Names {
    topics: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Names {
    fn of(source: &[Rule], reach: &Reach) -> Self {
        let named = |kind| {
            let rules = source
                .iter()
                .filter(move |rule| rule.kind == kind && !rule.prefixed && rule.name != EVERY_NAME);
            let names = rules.map(|rule| rule.name.clone());
            names.filter(move |name| reach.has(kind, name))
        };
        let there = &reach.there;
        Self {
            topics: there
                .topics
                .iter()
                .cloned()
                .chain(named(Kind::Topic))
                .collect(),
            groups: there
                .groups
                .iter()
                .cloned()
                .chain(named(Kind::Group))
                .collect(),
        }
    }

    /// Those that a rule is on.
    fn of_rule<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a String> {
        let names = match rule.kind {
            Kind::Topic => &self.topics,
            _ => &self.groups,
        };
        names.iter().filter(|name| rule.is_on(rule.kind, name))
    }
}

#[cfg(test)]
mod tests;
