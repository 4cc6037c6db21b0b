//! Access rules: what one says, what a set of them lets somebody do, and where two of them meet.
//!
//! As brokers decide (`StandardAuthorizer`): a rule that denies wins; without one a rule that allows; where no rule at all is on a resource, a setting
//! of the brokers. Reading, writing, deleting and altering allow describing; altering settings allows describing them. Nothing of the kind
//! holds for what is denied.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name that stands for every resource of a kind.
pub const EVERY_NAME: &str = "*";
/// The principal that stands for everybody.
pub const EVERYBODY: &str = "User:*";
/// The host that stands for all.
pub const EVERY_HOST: &str = "*";

/// What a rule is about (`org.apache.kafka.common.resource.ResourceType`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A topic.
    #[default]
    Topic,
    /// A consumer group.
    Group,
    /// The cluster as a whole.
    Cluster,
    /// A transactional id.
    TransactionalId,
    /// A delegation token.
    DelegationToken,
    /// A user, for tokens in its name.
    User,
    /// What this program does not know.
    Other(i8),
}

/// What a rule allows or denies (`org.apache.kafka.common.acl.AclOperation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// Everything.
    All,
    /// Read records or positions.
    Read,
    /// Write records.
    Write,
    /// Make it.
    Create,
    /// Remove it, or records of it.
    Delete,
    /// Change it.
    Alter,
    /// See it.
    Describe,
    /// See its settings.
    DescribeConfigs,
    /// Change its settings.
    AlterConfigs,
    /// Any other, by Kafka's number.
    Other(i8),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// What it is about.
    pub kind: Kind,
    /// Name of the resource, or the beginning of names.
    pub name: String,
    /// `name` is how names begin.
    pub prefixed: bool,
    /// Whom it is about, `User:name`.
    pub principal: String,
    /// From where.
    pub host: String,
    /// What may be done, or not.
    pub doing: Doing,
    /// It denies.
    pub denies: bool,
}

const KINDS: [(i8, Kind); 6] = [
    (2, Kind::Topic),
    (3, Kind::Group),
    (4, Kind::Cluster),
    (5, Kind::TransactionalId),
    (6, Kind::DelegationToken),
    (7, Kind::User),
];
const DOINGS: [(i8, Doing); 9] = [
    (2, Doing::All),
    (3, Doing::Read),
    (4, Doing::Write),
    (5, Doing::Create),
    (6, Doing::Delete),
    (7, Doing::Alter),
    (8, Doing::Describe),
    (10, Doing::DescribeConfigs),
    (11, Doing::AlterConfigs),
];

impl Kind {
    /// Of Kafka's number.
    pub fn of(number: i8) -> Self {
        let known = KINDS.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, kind)| *kind)
    }

    /// Kafka's number.
    pub fn number(self) -> i8 {
        match self {
            Self::Other(number) => number,
            known => KINDS
                .iter()
                .find(|(_, kind)| *kind == known)
                .map_or(0, |(number, _)| *number),
        }
    }
}

impl Doing {
    /// Of Kafka's number.
    pub fn of(number: i8) -> Self {
        let known = DOINGS.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, doing)| *doing)
    }

    /// Kafka's number.
    pub fn number(self) -> i8 {
        match self {
            Self::Other(number) => number,
            known => DOINGS
                .iter()
                .find(|(_, doing)| *doing == known)
                .map_or(0, |(number, _)| *number),
        }
    }

    /// Does a rule that allows this allow `other` too?
    pub fn allows(self, other: Self) -> bool {
        self == Self::All
            || self == other
            || match other {
                Self::Describe => {
                    matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter)
                }
                Self::DescribeConfigs => self == Self::AlterConfigs,
                _ => false,
            }
    }

    /// Does a rule that denies this deny something that a rule allows which allows `other`?
    fn denies_of(self, other: Self) -> bool {
        self == Self::All || other.allows(self)
    }
}

/// Somebody who does something to a resource.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Who.
    pub principal: &'a str,
    /// From where.
    pub host: &'a str,
    /// What.
    pub doing: Doing,
    /// To what.
    pub kind: Kind,
    /// By name.
    pub name: &'a str,
}

impl Rule {
    /// Is it on this resource?
    pub fn is_on(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind
            && match self.prefixed {
                true => name.starts_with(&self.name),
                false => self.name == name || self.name == EVERY_NAME,
            }
    }

    /// It is on every resource of its kind.
    pub fn is_on_all(&self) -> bool {
        !self.prefixed && self.name == EVERY_NAME
    }

    /// Is it about this principal?
    pub fn is_about(&self, principal: &str) -> bool {
        self.principal == principal || self.principal == EVERYBODY
    }

    fn is_about_deed(&self, deed: &Deed<'_>) -> bool {
        self.is_on(deed.kind, deed.name)
            && self.is_about(deed.principal)
            && (self.host == deed.host || self.host == EVERY_HOST)
    }

    /// The same for one resource alone.
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            prefixed: false,
            ..self.clone()
        }
    }

    /// Does this rule, which denies, take anything from what `allowing` allows?
    pub fn takes_from(&self, allowing: &Self) -> bool {
        let principals = self.is_about(&allowing.principal) || allowing.is_about(&self.principal);
        let hosts =
            self.host == allowing.host || self.host == EVERY_HOST || allowing.host == EVERY_HOST;
        principals
            && hosts
            && self.doing.denies_of(allowing.doing)
            && self.common(allowing).is_some()
    }

    /// The names that two rules of a kind are both on: a name or a beginning, as a rule has them.
    pub fn common<'a>(&'a self, other: &'a Self) -> Option<(&'a str, bool)> {
        if self.kind != other.kind {
            return None;
        }
        let (mine, theirs) = (&*self.name, &*other.name);
        match (self.is_on_all(), other.is_on_all()) {
            (true, _) => return Some((theirs, other.prefixed)),
            (_, true) => return Some((mine, self.prefixed)),
            _ => {}
        }
        match (self.prefixed, other.prefixed) {
            (false, false) => (mine == theirs).then_some((mine, false)),
            (false, true) => mine.starts_with(theirs).then_some((mine, false)),
            (true, false) => theirs.starts_with(mine).then_some((theirs, false)),
            (true, true) if mine.starts_with(theirs) => Some((mine, true)),
            (true, true) => theirs.starts_with(mine).then_some((theirs, true)),
        }
    }

    /// Does this rule, which denies, deny all that `other` denies of `names`, as [`Self::common`] has them?
    pub fn stands_for(&self, other: &Self, names: (&str, bool)) -> bool {
        let (name, prefixed) = names;
        let is_on = self.kind == other.kind
            && (self.is_on_all()
                || match (self.prefixed, prefixed) {
                    (true, _) => name.starts_with(&self.name),
                    (false, false) => self.name == name,
                    (false, true) => false,
                });
        self.denies
            && is_on
            && self.is_about(&other.principal)
            && (self.host == other.host || self.host == EVERY_HOST)
            && (self.doing == other.doing || self.doing == Doing::All)
    }
}

/// May this be done by these rules? `everyone`: what has no rule is open to all.
pub fn may<'a>(rules: impl IntoIterator<Item = &'a Rule>, everyone: bool, deed: &Deed<'_>) -> bool {
    let (mut is_allowed, mut has_rules) = (false, false);
    for rule in rules {
        has_rules |= rule.is_on(deed.kind, deed.name);
        if !rule.is_about_deed(deed) {
            continue;
        }
        if rule.denies && (rule.doing == Doing::All || rule.doing == deed.doing) {
            return false;
        }
        is_allowed |= !rule.denies && rule.doing.allows(deed.doing);
    }
    is_allowed || (everyone && !has_rules)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Cluster => "cluster",
            Self::TransactionalId => "transactional id",
            Self::DelegationToken => "delegation token",
            Self::User => "user",
            Self::Other(number) => return write!(f, "resource type {number}"),
        })
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Alter => "Alter",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
            Self::Other(9) => "ClusterAction",
            Self::Other(12) => "IdempotentWrite",
            Self::Other(13) => "CreateTokens",
            Self::Other(14) => "DescribeTokens",
            Self::Other(15) => "TwoPhaseCommit",
            Self::Other(number) => return write!(f, "operation {number}"),
        })
    }
}

/// `allow User:orders Write on topic orders from *`; a prefixed rule has its name followed by `…`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.denies { "deny" } else { "allow" };
        let more = if self.prefixed { "…" } else { "" };
        write!(
            f,
            "{word} {} {} on {} {}{more}",
            self.principal, self.doing, self.kind, self.name
        )?;
        match &*self.host {
            EVERY_HOST => Ok(()),
            host => write!(f, " from {host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str, doing: Doing, denies: bool) -> Rule {
        let (principal, name) = text.split_once(' ').unwrap();
        Rule {
            kind: Kind::Topic,
            name: name.trim_end_matches('…').into(),
            prefixed: name.ends_with('…'),
            principal: format!("User:{principal}"),
            host: "*".into(),
            doing,
            denies,
        }
    }

    fn asks<'a>(principal: &'a str, doing: Doing, name: &'a str) -> Deed<'a> {
        Deed {
            principal,
            host: "10.0.0.1",
            doing,
            kind: Kind::Topic,
            name,
        }
    }

    #[test]
    fn a_denial_wins_and_an_allowance_implies_to_see() {
        let rules = [
            rule("a pay…", Doing::Write, false),
            rule("* payroll", Doing::All, true),
            rule("a payees", Doing::Describe, true),
        ];
        let may = |who, doing, name| may(&rules, true, &asks(who, doing, name));
        assert!(may("User:a", Doing::Write, "payments"));
        assert!(may("User:a", Doing::Describe, "payments"));
        assert!(!may("User:a", Doing::Read, "payments"));
        assert!(!may("User:a", Doing::Write, "payroll"));
        assert!(!may("User:a", Doing::Describe, "payees") && may("User:a", Doing::Write, "payees"));
        assert!(!may("User:b", Doing::Read, "payments"), "it has a rule");
        assert!(may("User:b", Doing::Read, "orders"), "it has none");
    }

    #[test]
    fn where_two_rules_meet() {
        let on = |name| rule(&format!("a {name}"), Doing::Read, false);
        assert_eq!(
            on("pay…").common(&on("payments")),
            Some(("payments", false))
        );
        assert_eq!(on("pay…").common(&on("payr…")), Some(("payr", true)));
        assert_eq!(on("payr…").common(&on("payments…")), None);
        assert_eq!(on("*").common(&on("pay…")), Some(("pay", true)));
        assert_eq!(on("a").common(&on("b")), None);
        let denial = rule("* pay…", Doing::Describe, true);
        assert!(denial.takes_from(&rule("a payments", Doing::Write, false)));
        assert!(!denial.takes_from(&rule("a payments", Doing::AlterConfigs, false)));
        assert!(denial.stands_for(&rule("a pay…", Doing::Describe, true), ("payments", true)));
        assert!(!denial.stands_for(&rule("a pay…", Doing::Describe, true), ("p", true)));
    }
}
