//! Faults by script: what the next calls of an operation meet instead of their usual answer.

use std::{fmt, time::Duration};

use serde_json::Value;

use super::{
    model::Service,
    refusal::{Refusal, Trouble},
};

/// What a call meets.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An error of the service's model, and what it says.
    Error(&'static str, &'static str),
    /// The user may not do this.
    Denied,
    Throttled,
    /// The service answers 500 and has done nothing.
    Broken,
    /// The connection is closed before anything is done.
    CutBefore,
    /// It is done; then the connection is closed.
    CutAfter,
    /// Nothing is done and nothing is said, for as long as the client waits.
    SilentBefore,
    /// It is done, and nothing is said, for as long as the client waits.
    SilentAfter,
    /// It is done so much later.
    Late(Duration),
}

impl Fault {
    /// The refusal that it is, if it is one.
    pub fn refusal(&self, service: &Service, operation: &str) -> Option<Refusal> {
        let trouble = match self {
            Self::Error(code, message) => {
                assert!(
                    service.error(code).is_some(),
                    "{} has no error {code}",
                    service.name
                );
                return Some(Refusal::of(code, *message));
            }
            Self::Denied => Trouble::Denied(format!("{}:{operation}", service.name)),
            Self::Throttled => Trouble::Throttled,
            Self::Broken => Trouble::Broken,
            _ => return None,
        };
        Some(Refusal::trouble(service, &trouble))
    }
}

/// Which calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    Next(u32),
}

type Predicate = dyn Fn(&Value) -> bool + Send;

struct Rule {
    /// `CreateReplicator`, `kafka.TagResource`, `kafka.*` or `*`.
    operation: String,
    which: Which,
    when: Box<Predicate>,
    fault: Fault,
}

/// The script: the first rule that fits a call decides.
#[derive(Default)]
pub struct Script(Vec<Rule>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|rule| (&rule.operation, &rule.fault)))
            .finish()
    }
}

impl Script {
    pub fn add(
        &mut self,
        operation: &str,
        which: Which,
        when: impl Fn(&Value) -> bool + Send + 'static,
        fault: Fault,
    ) {
        self.0.push(Rule {
            operation: operation.to_owned(),
            which,
            when: Box::new(when),
            fault,
        });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What this call meets.
    pub fn meet(&mut self, service: &str, operation: &str, input: &Value) -> Option<Fault> {
        let full = format!("{service}.{operation}");
        let every = format!("{service}.*");
        let at = self.0.iter().position(|rule| {
            let named = [operation, &full, &every, "*"].contains(&rule.operation.as_str());
            named && rule.which != Which::Next(0) && (rule.when)(input)
        })?;
        let rule = &mut self.0[at];
        if let Which::Next(left) = &mut rule.which {
            *left -= 1;
        }
        Some(rule.fault.clone())
    }
}
