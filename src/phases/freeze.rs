//! What a write freeze of an application denies, and why it is refused where that would not hold, or would hit somebody else; pure.
//!
//! 1. Super users are above all rules, and brokers do not tell who they are: only whom a rule lets write is taken to need one.
//! 2. A denial is the only rule of a topic where there was none: under `allow.everyone.if.no.acl.found` it would shut everybody out. So there has
//!    to be one.

use crate::{
    error::Failure,
    exit::Exit,
    model::{
        acl::{Doing, EVERYBODY, Kind, Rule},
        application::Application,
        freeze::Frozen,
        names::Side,
    },
};

/// What is asked for, and what there is.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What moves.
    pub application: &'a Application,
    /// Topics in scope.
    pub topics: &'a [String],
    /// Other applications of the file that stay on that side.
    pub beside: Vec<&'a Application>,
    /// Access rules there; `None`: no authorizer.
    pub rules: Option<&'a [Rule]>,
    /// As whom this program logs in there.
    pub us: &'a str,
    /// Where.
    pub on: Side,
}

impl Asked<'_> {
    /// Whom to keep from writing what. Everything that speaks against it is said at once.
    pub fn judged(&self) -> Result<Vec<Frozen>, Failure> {
        let (on, name) = (self.on, &self.application.name);
        let principals = &self.application.principals;
        let topics = self.topics.iter();
        let topics: Vec<&String> = topics
            .filter(|topic| self.application.writes.matches(topic))
            .collect();
        let mut against = Vec::new();
        if topics.is_empty() {
            against.push(format!(
                "the file says of nothing in scope that {name} writes it"
            ));
        }
        if principals.is_empty() {
            against.push(format!(
                "the file does not say as whom {name} logs in (principals)"
            ));
        }
        if self.rules.is_none() {
            against.push(format!(
                "the {on} has no authorizer: nothing keeps anybody from writing there"
            ));
        }
        for principal in principals {
            self.against(principal, &topics, &mut against);
        }
        if !against.is_empty() {
            let failure = Failure::new(
                Exit::Refused,
                "K356",
                format!("{name} cannot be kept from writing on the {on}, so nothing was begun"),
            );
            let failure = against
                .into_iter()
                .fold(failure, |failure, why| failure.cause(why));
            return Err(failure
                .hint("without --freeze the application is stopped by its hook or by you, and has to be quiet"));
        }
        let frozen = |principal: &String| {
            let topics = topics.iter();
            let frozen = topics.map(|topic| Frozen {
                principal: principal.clone(),
                topic: (*topic).clone(),
            });
            frozen.collect::<Vec<_>>()
        };
        Ok(principals.iter().flat_map(frozen).collect())
    }

    fn against(&self, principal: &String, topics: &[&String], against: &mut Vec<String>) {
        let on = self.on;
        if principal == self.us {
            against.push(format!(
                "{principal} is as whom this program logs in itself"
            ));
        }
        if principal == EVERYBODY {
            against.push(format!("{principal} is everybody"));
        }
        for other in &self.beside {
            let shares = other.principals.contains(principal);
            let mut topics = topics.iter();
            if let (true, Some(topic)) = (shares, topics.find(|one| other.writes.matches(one))) {
                against.push(format!(
                    "{} writes {topic} as {principal}, too, and stays on the {on}",
                    other.name
                ));
            }
        }
        let Some(rules) = self.rules else { return };
        for topic in topics {
            let lets = |rule: &&Rule| {
                !rule.denies
                    && rule.is_on(Kind::Topic, topic)
                    && rule.is_about(principal)
                    && rule.doing.allows(Doing::Write)
            };
            if !rules.iter().any(|rule| lets(&rule)) {
                against.push(format!(
                    "no rule of the {on} lets {principal} write {topic}: it is a super user, whom no rule stops, or everybody may, and a denial would shut out all"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{acl::EVERY_HOST, patterns::Patterns};

    fn application(name: &str, writes: &[&str], principals: &[&str]) -> Application {
        let texts: Vec<String> = writes.iter().map(ToString::to_string).collect();
        Application {
            name: name.to_owned(),
            writes: Patterns::of(&texts).unwrap(),
            principals: principals.iter().map(ToString::to_string).collect(),
            ..Application::default()
        }
    }

    fn allow(principal: &str, topic: &str) -> Rule {
        Rule {
            kind: Kind::Topic,
            name: topic.to_owned(),
            prefixed: false,
            principal: principal.to_owned(),
            host: EVERY_HOST.to_owned(),
            doing: Doing::Write,
            denies: false,
        }
    }

    fn judged(
        of: &Application,
        beside: Vec<&Application>,
        rules: Option<&[Rule]>,
    ) -> Result<Vec<String>, Vec<String>> {
        let topics = ["orders", "clicks", "payments"].map(str::to_owned);
        let asked = Asked {
            application: of,
            topics: &topics,
            beside,
            rules,
            us: "User:migrator",
            on: Side::Source,
        };
        let words = |all: Vec<Frozen>| all.iter().map(Frozen::to_string).collect();
        asked.judged().map(words).map_err(|failure| failure.causes)
    }

    #[test]
    fn what_it_writes_is_denied_to_each_of_its_principals() {
        let shop = application("shop", &["orders", "click*"], &["User:shop", "User:till"]);
        let rules = [
            allow("User:shop", "orders"),
            allow(EVERYBODY, "clicks"),
            allow("User:till", "*"),
        ];
        let found = judged(&shop, Vec::new(), Some(&rules));
        let all = [
            "User:shop to orders",
            "User:shop to clicks",
            "User:till to orders",
            "User:till to clicks",
        ];
        assert_eq!(found.unwrap(), all);
    }

    #[test]
    fn all_that_speaks_against_it_is_said_at_once() {
        let shop = application("shop", &["orders"], &["User:migrator", "User:shop"]);
        let till = application("till", &["orders"], &["User:shop"]);
        let mut denial = allow("User:shop", "orders");
        denial.denies = true;
        let why = judged(&shop, vec![&till], Some(&[denial])).unwrap_err();
        let said = [
            "logs in itself",
            "lets User:migrator write",
            "till writes orders",
            "lets User:shop write",
        ];
        assert_eq!(why.len(), said.len(), "{why:?}");
        for (why, said) in why.iter().zip(said) {
            assert!(why.contains(said), "{why}");
        }
        let nothing = application("reader", &[], &[]);
        assert_eq!(judged(&nothing, Vec::new(), None).unwrap_err().len(), 3);
    }
}
