//! Users that log in with SCRAM: who, with which mechanism and how many iterations. Passwords and their hashes cannot be read back.

use kafka_protocol::messages::DescribeUserScramCredentialsRequest;

use super::{Cluster, Error, Result};
use crate::wire::versions::Ask;

/// A user that has no password of this kind.
const RESOURCE_NOT_FOUND: i16 = 91;

/// A login of one user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ScramUser {
    /// Its name.
    pub user: String,
    /// `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// How often its password is hashed.
    pub iterations: i32,
}

impl Cluster {
    /// Every login with SCRAM (KIP-554). Takes the right to Describe the cluster.
    // Non-obvious: an empty list asks for all, as no list does. Brokers fail over no list where they have to say that the right is missing, and
    // answer nothing at all (`without_the_rights_records_come_over_and_it_is_said_what_is_missing`).
    pub async fn scram_users(&self) -> Result<Vec<ScramUser>> {
        let api = DescribeUserScramCredentialsRequest::API.name;
        let request = DescribeUserScramCredentialsRequest::default().with_users(Some(Vec::new()));
        let conn = self.any().await?;
        let answer = self.ask(&conn, &request).await?;
        let failed = |code, message: Option<String>| Error::Kafka {
            side: self.side(),
            broker: Some(conn.address().clone()),
            api,
            topic: None,
            partition: None,
            code,
            message,
        };
        if answer.error_code != 0 {
            let message = answer.error_message.map(|message| message.to_string());
            return Err(failed(answer.error_code, message));
        }
        let mut users = Vec::new();
        for result in answer.results {
            match result.error_code {
                0 => {}
                RESOURCE_NOT_FOUND => continue,
                code => {
                    let message = result.error_message.map(|message| message.to_string());
                    return Err(failed(code, message));
                }
            }
            users.extend(result.credential_infos.iter().map(|one| ScramUser {
                user: result.user.to_string(),
                mechanism: match one.mechanism {
                    1 => "SCRAM-SHA-256".to_owned(),
                    2 => "SCRAM-SHA-512".to_owned(),
                    number => format!("mechanism {number}"),
                },
                iterations: one.iterations,
            }));
        }
        users.sort_unstable();
        Ok(users)
    }
}
