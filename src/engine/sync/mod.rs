//! What follows the source beside records and positions: settings of topics and access rules, from there to the target only.
//!
//! 1. What is to be changed on the target is in the ledger before it is changed, with what stood there.
//! 2. What others did on the target is left as it is, and told.
//! 3. Nothing here ever stops a record: what cannot be read or changed is told once, and tried again.

pub mod acls;
pub mod configs;
mod follow;
pub mod look;
mod rules;
mod settings;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub use follow::Follower;

use super::{
    ledger::{
        positions::Holder,
        record::Steer,
        synced::{Brought, Synced},
    },
    steer::{self, Answered},
};
use crate::{
    cluster::Target,
    error::Failure,
    model::{names::TopicName, patterns::Patterns, scope::Scope},
};

/// What follows the source.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How often settings are looked at; `None`: they are left alone.
    pub settings: Option<Duration>,
    /// How often access rules are; `None`: they are left alone.
    pub acls: Option<Duration>,
    /// Topics in scope, as it was written.
    pub topics: Patterns,
    /// Topics left out, as it was written.
    pub exclude_topics: Patterns,
    /// Groups of the migration, those of applications included.
    pub groups: Patterns,
    /// Groups left out.
    pub exclude_groups: Patterns,
    /// As whom this program logs in to the target.
    pub us: String,
    /// Applications, and who writes in their name.
    pub writers: Vec<(String, Vec<String>)>,
}

impl Wanted {
    /// Does anything follow the source?
    pub fn is_any(&self) -> bool {
        self.settings.is_some() || self.acls.is_some()
    }

    /// What rules may reach, with nothing there yet.
    pub fn reach(&self, scope: &Scope) -> acls::Reach {
        acls::Reach {
            scope: scope.clone(),
            topics: self.topics.clone(),
            exclude_topics: self.exclude_topics.clone(),
            groups: self.groups.clone(),
            exclude_groups: self.exclude_groups.clone(),
            us: Some(self.us.clone()),
            there: acls::There::default(),
        }
    }

    /// Who has to wait, by what the ledger says of where applications write.
    pub fn writers(&self, synced: &Synced) -> Vec<acls::Writer> {
        let writer = |(application, principals): &(String, Vec<String>)| acls::Writer {
            application: application.clone(),
            principals: principals.clone(),
            is_released: synced.is_released(application),
        };
        self.writers.iter().map(writer).collect()
    }
}

/// Said where rules mean nothing: everyone may do everything.
const NO_AUTHORIZER: &str = "the target has no authorizer: access rules would mean nothing there";
/// How the answer begins that an application may write.
const RELEASED: &str = "access rules let ";
/// Said of rules that are not there all the same.
const REFUSES: &str = "; the target refuses ";

/// The answer once rules are as they should be, but so many of them.
fn released(application: &str, side: Holder, refused: usize) -> String {
    let mut said = format!("{RELEASED}{application} write on the {side} from now on");
    if refused > 0 {
        said += &format!("{REFUSES}{refused} access rules");
    }
    said
}

/// Does this answer say that nothing keeps an application from writing that a rule would have let?
pub fn lets_write(said: &str) -> bool {
    said.contains(NO_AUTHORIZER) || (said.starts_with(RELEASED) && !said.contains(REFUSES))
}

/// Asks the engine, wherever it runs, to let an application write on this cluster: rules of the source that let its principals write are made on the
/// target, or taken back from there if we made them. It answers once that is done; whether it does or not, the request stands in the ledger.
pub async fn let_write(
    target: &Target,
    migration: &str,
    application: &str,
    side: Holder,
    by: &str,
) -> Result<Answered, Failure> {
    let steer = Steer::Writes {
        application: application.to_owned(),
        side,
    };
    steer::ask(target, migration, steer, by).await
}

/// Topics that a run has made on the target, and with which settings. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Made(Arc<Mutex<HashMap<TopicName, With>>>);

/// Settings and their values.
type With = Vec<(String, String)>;

impl Made {
    fn lock(&self) -> MutexGuard<'_, HashMap<TopicName, With>> {
        self.0.lock().expect("nothing panics while holding it")
    }

    /// This one was made, with these.
    pub fn note(&self, topic: &TopicName, with: With) {
        self.lock().insert(topic.clone(), with);
    }

    /// What was made since the last time, as it stands there because of us.
    fn take(&self) -> BTreeMap<String, Vec<Brought>> {
        let made = std::mem::take(&mut *self.lock());
        let brought = |(name, value): (String, String)| Brought {
            name,
            before: Some(value.clone()),
            value: Some(value),
            is_ours: true,
        };
        made.into_iter()
            .map(|(topic, with)| {
                let carried = with.into_iter();
                let carried = carried.filter(|(name, _)| configs::CARRIED.contains(&&**name));
                (topic.to_string(), carried.map(brought).collect())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_without_refusals_lets_an_application_write() {
        assert!(lets_write(&released("app", Holder::Target, 0)));
        assert!(!lets_write(&released("app", Holder::Target, 2)));
        let trouble =
            |text| format!("access rules do not follow the source for the moment: {text}");
        assert!(lets_write(&trouble(NO_AUTHORIZER)), "everyone may");
        assert!(!lets_write(&trouble("the target does not answer")));
        assert!(!lets_write("this engine does not carry access rules"));
    }
}
