//! Looks at settings, access rules and logins of both sides, and at what would become of them. Changes nothing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Wanted,
    acls::{self, Plan, Steps, There},
    configs,
};
use crate::{
    cluster::{self, Cluster, Everyone, Operation, ScramUser, Source, Target},
    engine::ledger::synced::{Fate, RuleStanding, Standing, Synced, What},
    model::{acl::Rule, freeze, names::TopicName, scope::Scope},
};

/// Topics whose settings are in memory at once.
const AT_ONCE: usize = 200;
/// Rights of a topic that every super user has.
const ALL: [Operation; 8] = [
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Delete,
    Operation::Alter,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
];

/// Access rules of both sides, and what would become of them.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What is to become of those of the source.
    pub plan: Plan,
    /// All of the target.
    pub target: BTreeSet<Rule>,
    /// How it comes to what it should hold.
    pub steps: Steps,
}

/// Why rules are not carried.
#[derive(Debug, Clone)]
pub enum NoRules {
    /// The source has none: nothing guards it.
    Unguarded,
    /// They would mean something else, in words.
    Differ(String),
    /// It could not be asked.
    Failed(cluster::Error),
}

impl std::fmt::Display for NoRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unguarded => f.write_str("the source has no authorizer, and so no access rules"),
            Self::Differ(why) => f.write_str(why),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl From<cluster::Error> for NoRules {
    fn from(error: cluster::Error) -> Self {
        Self::Failed(error)
    }
}

/// What a person wants to know of rules before anything is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RulesSeen {
    /// Rules to be made, in words.
    pub to_make: Vec<String>,
    /// Rules of ours to be removed, in words.
    pub to_remove: Vec<String>,
    /// Rules that the target holds already.
    pub there: usize,
    /// Rules of the source that are not simply made.
    pub differ: Vec<RuleStanding>,
    /// Rules of the source about what is not in scope.
    pub elsewhere: usize,
}

/// Looks at the rules of both sides.
pub async fn rules(
    source: &Cluster,
    target: &Target,
    wanted: &Wanted,
    scope: &Scope,
    synced: &Synced,
) -> Result<Rules, NoRules> {
    // What keeps an application from writing while it moves is nobody's rule but the migration's own.
    let Some(here) = source.acls().await?.map(freeze::without) else {
        return Err(NoRules::Unguarded);
    };
    let Some(there) = target.acls().await? else {
        return Err(NoRules::Differ(super::NO_AUTHORIZER.to_owned()));
    };
    let mut reach = wanted.reach(scope);
    let (topics, target_topics, groups, target_groups) = tokio::join!(
        source.topics(None),
        target.topics(None),
        source.listed_groups(),
        target.listed_groups(),
    );
    let topics = topics?;
    let in_scope = topics
        .iter()
        .filter(|topic| scope.has_topic(&topic.name, topic.internal));
    let groups = groups?.into_iter().map(|group| group.name);
    let ours = |name: &String| wanted.groups.matches(name) && !wanted.exclude_groups.matches(name);
    reach.there = There {
        topics: in_scope.map(|topic| topic.name.to_string()).collect(),
        groups: groups.filter(ours).collect(),
        target_topics: target_topics?
            .iter()
            .map(|topic| topic.name.to_string())
            .collect(),
        target_groups: target_groups?.into_iter().map(|group| group.name).collect(),
    };
    same_without_rules(source, target, &reach.there).await?;
    let plan = acls::plan(&here, &reach, &wanted.writers(synced));
    let target: BTreeSet<Rule> = there.into_iter().collect();
    let steps = acls::steps(&plan, &target, &synced.rules);
    Ok(Rules {
        plan,
        target,
        steps,
    })
}

/// Where no rule speaks, may everyone do as much on both sides? If not, the same rules would not mean the same.
async fn same_without_rules(
    source: &Cluster,
    target: &Target,
    there: &There,
) -> Result<(), NoRules> {
    let (here, there) = tokio::join!(
        everyone(source, there.topics.iter().next()),
        everyone(
            target,
            there.topics.intersection(&there.target_topics).next()
        ),
    );
    match (here?, there?) {
        (Ok(here), Ok(there)) if here == there => Ok(()),
        (Err(why), _) | (_, Err(why)) => Err(NoRules::Differ(format!(
            "what everyone may do to what has no access rule is not known of both sides, so that the same rules might mean something else: {why}"
        ))),
        (Ok(_), Ok(_)) => Err(NoRules::Differ(
            "everyone may do something else on each side to what has no access rule: there the same rules would mean something else".to_owned(),
        )),
    }
}

async fn everyone(
    cluster: &Cluster,
    topic: Option<&String>,
) -> cluster::Result<Result<Everyone, String>> {
    let names: Vec<TopicName> = topic.iter().map(|name| name.as_str().into()).collect();
    let rights = cluster.topic_rights(&names).await?;
    let mut told = rights.values().flatten();
    let is_limited = told.any(|has| ALL.iter().any(|one| !has.contains(one)));
    cluster.everyone(is_limited).await
}

impl Rules {
    /// In words.
    pub fn seen(&self) -> RulesSeen {
        let words = |rules: &[Rule]| -> Vec<String> { rules.iter().map(Rule::to_string).collect() };
        let mut to_make = words(&self.steps.denials);
        to_make.extend(words(&self.steps.allowances));
        let mut differ: Vec<RuleStanding> = self.plan.standings().collect();
        differ.extend(self.steps.undone.iter().map(undone));
        RulesSeen {
            to_make,
            to_remove: words(&self.steps.remove),
            there: self.there(),
            differ,
            elsewhere: self.plan.elsewhere,
        }
    }

    /// Rules that the target holds and should.
    pub fn there(&self) -> usize {
        let wanted: BTreeSet<&Rule> = self.plan.all.iter().flat_map(|one| &one.becomes).collect();
        wanted
            .iter()
            .filter(|rule| self.target.contains(**rule))
            .count()
    }
}

pub(super) fn undone(rule: &Rule) -> RuleStanding {
    RuleStanding {
        rule: rule.to_string(),
        fate: Fate::Left,
        reason: "it was made on the target, and somebody has removed it there".to_owned(),
    }
}

/// Settings that are not the same on both sides, of topics in scope that the target has; what it objects to is said (validated only).
pub async fn settings(
    source: &Source,
    target: &Target,
    topics: &[TopicName],
    synced: &Synced,
    is_held: impl Fn(&TopicName) -> bool,
) -> cluster::Result<Vec<Standing>> {
    let there = target.topics_each(topics).await?;
    let names: Vec<TopicName> = topics
        .iter()
        .filter(|name| matches!(there.get(*name), Some(Ok(_))))
        .cloned()
        .collect();
    let (mut standings, mut asked) = (Vec::new(), Vec::new());
    for some in names.chunks(AT_ONCE) {
        let (here, there) = tokio::join!(
            source.topic_configs_each(some),
            target.topic_configs_each(some)
        );
        let (here, there) = (here?, there?);
        for name in some {
            let (Some(Ok(here)), Some(Ok(there))) = (here.get(name), there.get(name)) else {
                continue;
            };
            let known = synced.settings.get(&**name);
            let judged = configs::judge(name, here, there, known, is_held(name));
            standings.extend(judged.standings);
            let changes = judged.changes.into_iter().map(|one| (one.name, one.value));
            let changes: Vec<_> = changes.collect();
            if !changes.is_empty() {
                asked.push((name.clone(), changes));
            }
        }
    }
    let objections = target.objections(&asked).await?;
    for standing in &mut standings {
        let of_topic = objections.get(&*standing.topic);
        let mut said = of_topic.into_iter().flatten();
        if let Some((_, error)) = said.find(|(name, _)| *name == standing.setting)
            && standing.what == What::Differs
        {
            (standing.what, standing.reason) = (What::Refused, Some(error.to_string()));
        }
    }
    Ok(standings)
}

/// Logins with SCRAM that the source has and the target lacks. Another number of iterations is no lack.
pub async fn users_missing(source: &Cluster, target: &Cluster) -> cluster::Result<Vec<ScramUser>> {
    let (here, there) = tokio::join!(source.scram_users(), target.scram_users());
    let there = there?;
    let lacks = |one: &ScramUser| {
        !there
            .iter()
            .any(|other| (&other.user, &other.mechanism) == (&one.user, &one.mechanism))
    };
    Ok(here?.into_iter().filter(lacks).collect())
}
