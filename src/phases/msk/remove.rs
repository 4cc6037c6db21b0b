//! What `cleanup` removes on Amazon's side: both replicators, then the secrets that they read; and what a person removes.

use super::{
    keep::{self, State},
    look::Wanted,
};
use crate::{
    aws::{Clients, replicators, secrets},
    error::Failure,
    exit::Exit,
    model::msk::{Msk, Secrets},
    msk::{self, Direction},
    phases::cleanup::{Left, Made, Removes},
};

const REPLICATOR: &str = "replicator";
const SECRET: &str = "secret";
/// A secret can be taken back for so many days: Secrets Manager's longest.
const RECOVERY_DAYS: i64 = 30;

/// Removes what `replicate` made.
pub struct Removing {
    clients: Clients,
    msk: Msk,
    wanted: Wanted,
}

impl Removing {
    /// Of this migration.
    pub fn new(clients: Clients, msk: Msk, wanted: Wanted) -> Self {
        Self {
            clients,
            msk,
            wanted,
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
        let mut all = Vec::new();
        // The one that copies back goes first: while it is there it carries what the other brings.
        for direction in [Direction::Reverse, Direction::Forward] {
            let name = self.name(direction);
            let Some(arn) = replicators::find(&self.clients, name).await? else {
                continue;
            };
            let Some(there) = replicators::describe(&self.clients, &arn).await? else {
                continue;
            };
            let (migration, id) = (&self.wanted.migration, &self.wanted.id);
            if msk::is_ours(&there.tags, migration, id) == Some(true) {
                all.push(Made {
                    kind: REPLICATOR.into(),
                    name: name.to_owned(),
                    id: arn,
                    note: String::new(),
                });
            }
        }
        let (migration, id) = (&self.wanted.migration, &self.wanted.id);
        let kept = match keep::kept(&self.clients, &self.msk, migration, id).await {
            Ok(kept) => kept,
            // A secret of that name that is somebody else's is none of ours.
            Err(failure) if failure.code == keep::FOREIGN => Vec::new(),
            Err(failure) => return Err(failure),
        };
        for one in kept {
            let is_there = matches!(one.state, State::Same | State::Differs);
            if let (true, Some(arn)) = (is_there, one.arn) {
                all.push(Made {
                    kind: SECRET.into(),
                    name: one.name.replace('/', "-"),
                    id: arn,
                    note: format!("it can be taken back for {RECOVERY_DAYS} days"),
                });
            }
        }
        Ok(all)
    }

    async fn remove(&self, one: &Made) -> Result<String, Failure> {
        match &*one.kind {
            REPLICATOR => match replicators::describe(&self.clients, &one.id).await? {
                Some(there) => {
                    replicators::delete(&self.clients, &there).await?;
                    Ok(format!("asked for the removal of {}", one.id))
                }
                None => Ok("it was gone".to_owned()),
            },
            SECRET => {
                secrets::delete(&self.clients, &one.id, RECOVERY_DAYS).await?;
                Ok(format!(
                    "within {RECOVERY_DAYS} days: aws secretsmanager restore-secret --secret-id {}",
                    one.id
                ))
            }
            _ => Err(unknown(one)),
        }
    }

    async fn is_gone(&self, one: &Made) -> Result<bool, Failure> {
        match &*one.kind {
            // Describe forgets it before List does, and its name is free only then.
            REPLICATOR => Ok(replicators::find(&self.clients, &one.name).await?.is_none()),
            SECRET => Ok(secrets::find(&self.clients, &one.id)
                .await?
                .is_none_or(|found| found.is_leaving)),
            _ => Err(unknown(one)),
        }
    }

    fn left(&self) -> Vec<Left> {
        let msk = &self.msk;
        let role = msk.role_arn.rsplit('/').next().unwrap_or_default();
        let mut left = vec![
            Left {
                what: format!("the role {role} and its policy"),
                how: format!(
                    "aws iam delete-role-policy --role-name {role} --policy-name kafka-migrate-{}; aws iam delete-role --role-name {role}",
                    self.wanted.migration
                ),
            },
            Left {
                what: format!("the SCRAM user {} of the external cluster, and its ACLs", msk.source_login.username),
                how: format!("kafka-configs.sh … --alter --entity-type users --entity-name {} --delete-config 'SCRAM-SHA-512'; kafka-acls.sh … --remove --allow-principal User:{}", msk.source_login.username, msk.source_login.username),
            },
            Left {
                what: "topics of the replicators themselves (__amazon_msk_replicator_*, mskr-offset-syncs.*) on both clusters".into(),
                how: "kafka-topics.sh … --delete --topic '__amazon_msk_replicator_.*' once nothing uses them".into(),
            },
        ];
        if let Some(group) = &msk.logs.cloudwatch {
            left.push(Left {
                what: format!("the log group {group}"),
                how: format!(
                    "aws logs delete-log-group --region {} --log-group-name {group}",
                    msk.region
                ),
            });
        }
        if let Secrets::Existing { login, .. } = &msk.secrets {
            left.push(Left {
                what: format!("your own secret {login}"),
                how: String::new(),
            });
        }
        left
    }
}

fn unknown(one: &Made) -> Failure {
    let what = format!("nobody knows how a {} is removed", one.kind);
    Failure::new(Exit::Bug, "K000", what)
}
