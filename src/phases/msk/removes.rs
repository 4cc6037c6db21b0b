//! What `cleanup` removes where MSK Replicator copies: both replicators, then the secrets that we made; and what it leaves.

use super::keep;
use crate::{
    aws::{Clients, replicators, secrets},
    error::Failure,
    exit::Exit,
    model::msk::{Msk, Secrets},
    msk::{self, Direction, Lifecycle},
    phases::cleanup::{Left, Made, Removes},
};

/// A secret can be taken back for so many days.
const DAYS: i64 = 7;
const REPLICATOR: &str = "replicator";
const SECRET: &str = "secret";

/// Removes what this migration made in AWS.
pub struct Removing {
    clients: Clients,
    msk: Msk,
    migration: String,
    id: String,
}

impl Removing {
    /// `id` is the journal's; what bears another one is another migration's.
    pub fn new(clients: Clients, msk: Msk, migration: String, id: String) -> Self {
        Self {
            clients,
            msk,
            migration,
            id,
        }
    }

    fn name(&self, direction: Direction) -> &str {
        match direction {
            Direction::Forward => &self.msk.forward,
            Direction::Reverse => &self.msk.reverse,
        }
    }
}

impl Removes for Removing {
    async fn made(&self) -> Result<Vec<Made>, Failure> {
        let mut made = Vec::new();
        for direction in Direction::BOTH {
            let name = self.name(direction);
            let Some(arn) = replicators::find(&self.clients, name).await? else {
                continue;
            };
            let Some(described) = replicators::describe(&self.clients, &arn).await? else {
                continue;
            };
            if msk::is_ours(&described.tags, &self.migration, &self.id) != Some(true) {
                continue;
            }
            made.push(Made {
                kind: REPLICATOR.to_owned(),
                name: name.to_owned(),
                id: arn,
                note: String::new(),
            });
        }
        if !matches!(self.msk.secrets, Secrets::Existing { .. }) {
            let kept = keep::kept(&self.clients, &self.msk, &self.migration, &self.id).await?;
            for one in kept {
                if one.state == keep::State::Leaving {
                    continue;
                }
                let Some(arn) = one.arn else { continue };
                made.push(Made {
                    kind: SECRET.to_owned(),
                    name: one.name.replace('/', "-"),
                    id: arn,
                    note: format!("for {DAYS} days it can be taken back"),
                });
            }
        }
        Ok(made)
    }

    async fn remove(&self, one: &Made) -> Result<String, Failure> {
        match one.kind.as_str() {
            REPLICATOR => {
                let Some(described) = replicators::describe(&self.clients, &one.id).await? else {
                    return Ok("it was gone already".to_owned());
                };
                // One that is leaving already would only be refused.
                if !matches!(described.lifecycle, Lifecycle::Deleting) {
                    replicators::delete(&self.clients, &described).await?;
                }
                Ok(String::new())
            }
            SECRET => {
                secrets::delete(&self.clients, &one.id, DAYS).await?;
                Ok(format!("it can be taken back for {DAYS} days"))
            }
            kind => Err(unknown(kind)),
        }
    }

    async fn is_gone(&self, one: &Made) -> Result<bool, Failure> {
        match one.kind.as_str() {
            // Its name is free only once the list does not show it any more.
            REPLICATOR => {
                let found = replicators::find(&self.clients, &one.name).await?;
                Ok(found.as_ref() != Some(&one.id))
            }
            SECRET => {
                let found = secrets::find(&self.clients, &one.id).await?;
                Ok(found.is_none_or(|found| found.is_leaving))
            }
            kind => Err(unknown(kind)),
        }
    }

    fn left(&self) -> Vec<Left> {
        let mut left = vec![Left {
            what: format!("the role {} and its policies", self.msk.role_arn),
            how: format!(
                "aws iam delete-role --role-name {}, after its policies",
                self.msk.role_arn.rsplit('/').next().unwrap_or_default()
            ),
        }];
        if let Some(group) = &self.msk.logs.cloudwatch {
            left.push(Left {
                what: format!("the log group {group}"),
                how: format!("aws logs delete-log-group --log-group-name {group}"),
            });
        }
        if let Secrets::Existing { login, .. } = &self.msk.secrets {
            left.push(Left {
                what: format!("the secret {login}, which was there before"),
                how: String::new(),
            });
        }
        left.push(Left {
            what: "topics of MSK Replicator on the target: __amazon_msk_replicator_*, mskr-*"
                .to_owned(),
            how: "kafka-topics --delete, once no replicator is left".to_owned(),
        });
        left
    }
}

fn unknown(kind: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K446",
        format!("the plan removes a {kind}, which this version does not know"),
    )
    .hint("run the version of kafka-migrate that made the plan")
}
