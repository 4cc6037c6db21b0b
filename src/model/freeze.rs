//! A write freeze: principals that may not write topics for a while, and what tells our denial from anybody else's.
//!
//! Access rules carry no word of who made them. So each denial of ours has a second rule beside it, its mark, about a topic that is never there and
//! whose name says what it stands for: `kafka-migrate.<migration>.freeze.<topic>`. The mark comes before the denial and goes after it. A denial
//! without a mark is somebody else's: it is neither made nor lifted by us, and it is carried to the target as every rule is.

use super::acl::{Doing, EVERY_HOST, Kind, Rule};

const OURS: &str = "kafka-migrate.";
const FREEZE: &str = ".freeze.";

/// A principal that may not write a topic for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Frozen {
    /// The principal, `User:name`.
    pub principal: String,
    /// The topic.
    pub topic: String,
}

impl std::fmt::Display for Frozen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.principal, self.topic)
    }
}

impl Frozen {
    /// The rule that keeps it from writing.
    pub fn denial(&self) -> Rule {
        self.denies(self.topic.clone())
    }

    /// The rule that says that the denial is ours.
    pub fn mark(&self, migration: &str) -> Rule {
        self.denies(format!("{OURS}{migration}{FREEZE}{}", self.topic))
    }

    fn denies(&self, name: String) -> Rule {
        Rule {
            kind: Kind::Topic,
            name,
            prefixed: false,
            principal: self.principal.clone(),
            host: EVERY_HOST.to_owned(),
            doing: Doing::Write,
            denies: true,
        }
    }
}

/// The migration that a mark is of, and what it stands for.
fn marked(rule: &Rule) -> Option<(&str, Frozen)> {
    let (migration, topic) = rule.name.strip_prefix(OURS)?.split_once(FREEZE)?;
    let frozen = Frozen {
        principal: rule.principal.clone(),
        topic: topic.to_owned(),
    };
    (*rule == frozen.mark(migration)).then_some((migration, frozen))
}

/// What a migration has frozen, by the rules of a cluster; also where only the mark is there yet, or still.
pub fn standing(rules: &[Rule], migration: &str) -> Vec<Frozen> {
    let marks = rules.iter().filter_map(marked);
    let ours = marks.filter(|(of, _)| *of == migration);
    ours.map(|(_, frozen)| frozen).collect()
}

/// The same rules without freezes of any migration, and without their marks.
pub fn without(rules: Vec<Rule>) -> Vec<Rule> {
    let marks = rules.iter().filter_map(marked);
    let denials: Vec<Rule> = marks.map(|(_, frozen)| frozen.denial()).collect();
    let mut rules = rules;
    rules.retain(|rule| marked(rule).is_none() && !denials.contains(rule));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(principal: &str, topic: &str) -> Frozen {
        Frozen {
            principal: principal.to_owned(),
            topic: topic.to_owned(),
        }
    }

    #[test]
    fn what_is_frozen_is_told_from_what_others_deny() {
        let ours = frozen("User:shop", "orders.freeze.eu");
        let theirs = frozen("User:shop", "payments");
        let another = frozen("User:till", "orders");
        let half = frozen("User:shop", "clicks");
        let rules = vec![
            ours.mark("shop"),
            ours.denial(),
            theirs.denial(),
            another.mark("other"),
            another.denial(),
            half.mark("shop"),
        ];
        assert_eq!(standing(&rules, "shop"), [ours, half]);
        assert_eq!(standing(&rules, "other"), [another]);
        assert_eq!(without(rules), [theirs.denial()]);
    }

    #[test]
    fn a_rule_that_only_looks_like_a_mark_is_none() {
        let ours = frozen("User:shop", "orders");
        for change in [
            |rule: &mut Rule| rule.denies = false,
            |rule: &mut Rule| rule.prefixed = true,
            |rule: &mut Rule| rule.host = "10.0.0.1".to_owned(),
            |rule: &mut Rule| rule.doing = Doing::Read,
        ] {
            let mut rule = ours.mark("shop");
            change(&mut rule);
            assert_eq!(standing(std::slice::from_ref(&rule), "shop"), []);
            let rules = vec![rule, ours.denial()];
            assert_eq!(without(rules.clone()), rules);
        }
    }
}
