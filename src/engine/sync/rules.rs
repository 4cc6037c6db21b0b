//! Brings access rules over: on record first, what denies before what allows, and nothing removed that we did not make.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{
    acls,
    follow::{Following, LATER, Trouble},
    look::{self, NoRules},
};
use crate::{
    clock,
    engine::{
        ledger::{
            record::Entry,
            synced::{Fate, RULES_AT_ONCE, RuleStage, RuleStanding},
        },
        steps,
    },
    events::Event,
    model::acl::Rule,
};

impl Following {
    /// Looks at the rules of both sides, and makes the target hold what it should.
    pub(super) async fn follow_rules(&mut self) -> Result<(), Trouble> {
        let with = &self.with;
        let looked = look::rules(
            &with.source,
            &with.target,
            &with.wanted,
            &with.scope,
            &self.synced,
        );
        let rules = match looked.await {
            Ok(rules) => rules,
            Err(NoRules::Unguarded) => return Ok(()),
            Err(NoRules::Failed(error)) => return Err(error.into()),
            Err(NoRules::Differ(text)) => {
                return Err(Trouble {
                    text,
                    passes: false,
                });
            }
        };
        let look::Rules {
            plan,
            target,
            steps,
        } = rules;
        let mut standings: Vec<RuleStanding> = plan.standings().collect();
        standings.extend(steps.undone.iter().map(look::undone));
        let settled = [
            (RuleStage::Made, &steps.landed),
            (RuleStage::Gone, &steps.forget),
        ];
        let settled = settled
            .into_iter()
            .flat_map(|(stage, rules)| entries(stage, rules));
        if !self.record(settled.collect()).await {
            return Err(Trouble::of_ledger());
        }
        let mut there: BTreeSet<Rule> = target;
        let mut refused = Vec::new();
        let mut made = self.make(&steps.denials, &mut there, &mut refused).await?;
        // What the target holds by now decides: a denial that it refused must not be missing.
        let holds: Vec<Rule> = there.iter().filter(|rule| rule.denies).cloned().collect();
        let (safe, unsafe_): (Vec<Rule>, Vec<Rule>) = steps
            .allowances
            .into_iter()
            .partition(|rule| acls::meets(rule, &plan.denials, &holds).is_none());
        standings.extend(unsafe_.iter().map(|rule| RuleStanding {
            rule: rule.to_string(),
            fate: Fate::Left,
            reason: "a rule that denies part of it is not on the target".to_owned(),
        }));
        made.extend(self.make(&safe, &mut there, &mut refused).await?);
        let removed = self.unmake(&steps.remove, &mut there, &mut refused).await?;
        if !made.is_empty() || !removed.is_empty() {
            self.with.events.send(Event::AclsFollowed { made, removed });
        }
        let texts = refused
            .iter()
            .map(|one| format!("{}: {}", one.rule, one.reason));
        self.tell_refused("an access rule", texts.collect());
        standings.extend(refused);
        let wanted: BTreeSet<&Rule> = plan.all.iter().flat_map(|one| &one.becomes).collect();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let report = &mut self.report;
        report.rules_there = count(wanted.iter().filter(|rule| there.contains(**rule)).count());
        report.rules_ours = count(self.synced.rules.len());
        report.rules_elsewhere = count(plan.elsewhere);
        report.rules_differ = count(standings.len());
        report.rules = standings;
        report.rules_ms = clock::unix_millis();
        Ok(())
    }

    /// Makes rules. Answers those that were made, in words.
    async fn make(
        &mut self,
        rules: &[Rule],
        there: &mut BTreeSet<Rule>,
        refused: &mut Vec<RuleStanding>,
    ) -> Result<Vec<String>, Trouble> {
        let mut told = Vec::new();
        self.refused_rules
            .retain(|_, (since, _)| since.elapsed() < LATER);
        let mut tried = Vec::with_capacity(rules.len());
        for rule in rules {
            match self.refused_rules.get(rule) {
                None => tried.push(rule.clone()),
                Some((_, reason)) => refused.push(no(rule, reason)),
            }
        }
        for some in tried.chunks(RULES_AT_ONCE) {
            if !self.record(entries(RuleStage::Intended, some)).await || !self.is_held() {
                return Err(Trouble::of_ledger());
            }
            steps::reached("rules-recorded");
            let answers = self.with.target.make_acls(some).await?;
            steps::reached("rules-made");
            let (mut made, mut gone) = (Vec::new(), Vec::new());
            for (rule, answer) in some.iter().zip(answers) {
                match answer {
                    Ok(()) => made.push(rule.clone()),
                    Err(error) => {
                        gone.push(rule.clone());
                        let reason = error.to_string();
                        refused.push(no(rule, &reason));
                        let since = (Instant::now(), reason);
                        self.refused_rules.insert(rule.clone(), since);
                    }
                }
            }
            told.extend(made.iter().map(Rule::to_string));
            there.extend(made.iter().cloned());
            let mut settled = entries(RuleStage::Made, &made);
            settled.extend(entries(RuleStage::Gone, &gone));
            if !self.record(settled).await {
                return Err(Trouble::of_ledger());
            }
        }
        Ok(told)
    }

    /// Removes rules of ours, what allows before what denies. Answers those that were removed, in words.
    async fn unmake(
        &mut self,
        rules: &[Rule],
        there: &mut BTreeSet<Rule>,
        refused: &mut Vec<RuleStanding>,
    ) -> Result<Vec<String>, Trouble> {
        let (denials, allowances): (Vec<Rule>, Vec<Rule>) =
            rules.iter().cloned().partition(|rule| rule.denies);
        let mut told = Vec::new();
        for some in [allowances, denials] {
            if some.is_empty() {
                continue;
            }
            if !self.is_held() {
                return Err(Trouble::of_ledger());
            }
            let answers = self.with.target.remove_acls(&some).await?;
            let mut gone = Vec::new();
            let mut is_complete = true;
            for (rule, answer) in some.iter().zip(answers) {
                match answer {
                    Ok(()) => gone.push(rule.clone()),
                    Err(error) => {
                        is_complete = false;
                        refused.push(no(rule, &format!("it cannot be removed: {error}")));
                    }
                }
            }
            told.extend(gone.iter().map(Rule::to_string));
            there.retain(|rule| !gone.contains(rule));
            if !self.record(entries(RuleStage::Gone, &gone)).await {
                return Err(Trouble::of_ledger());
            }
            if !is_complete {
                // What denies stays as long as something is left that it takes from.
                break;
            }
        }
        Ok(told)
    }
}

fn no(rule: &Rule, reason: &str) -> RuleStanding {
    RuleStanding {
        rule: rule.to_string(),
        fate: Fate::Refused,
        reason: reason.to_owned(),
    }
}

fn entries(stage: RuleStage, rules: &[Rule]) -> Vec<Entry> {
    let chunks = rules.chunks(RULES_AT_ONCE);
    chunks
        .map(|rules| Entry::Rules {
            stage,
            rules: rules.to_vec(),
        })
        .collect()
}
