//! Secrets: read, made, given a new version, taken back from removal, removed with a time to change one's mind.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::{error::ProvideErrorMetadata as _, types::Tag};

use super::{
    Clients,
    failure::{Asked, lacks},
};
use crate::{error::Failure, model::secret::Secret};

/// A secret as it is.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its complete ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// It is going to be removed: it cannot be read, and its name not be taken.
    pub is_leaving: bool,
    /// The key that it is encrypted with, unless it is the account's own.
    pub kms_key: Option<String>,
}

/// The secret of this name or ARN; `None`: there is none.
pub async fn find(clients: &Clients, name: &str) -> Result<Option<Found>, Failure> {
    let output = match clients
        .secrets
        .describe_secret()
        .secret_id(name)
        .send()
        .await
    {
        Ok(output) => output,
        Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
        Err(error) => {
            let asked = Asked::to("secretsmanager:DescribeSecret").on(name);
            return Err(clients.failed(&asked, &error).await);
        }
    };
    let pair = |tag: &Tag| {
        Some((
            tag.key()?.to_owned(),
            tag.value().unwrap_or_default().to_owned(),
        ))
    };
    let tags = output.tags().iter().filter_map(pair).collect();
    let is_leaving = output.deleted_date().is_some();
    Ok(Some(Found {
        tags,
        is_leaving,
        kms_key: output.kms_key_id,
        arn: output
            .arn
            .ok_or_else(|| lacks("secretsmanager:DescribeSecret", "ARN"))?,
    }))
}

/// What it says now; `None`: it has no text.
pub async fn read(clients: &Clients, name: &str) -> Result<Option<Secret>, Failure> {
    let output = match clients
        .secrets
        .get_secret_value()
        .secret_id(name)
        .send()
        .await
    {
        Ok(output) => output,
        Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
        Err(error) => {
            let asked = Asked::to("secretsmanager:GetSecretValue").on(name);
            return Err(clients.failed(&asked, &error).await);
        }
    };
    Ok(output.secret_string.map(Secret::new))
}

/// Makes a secret; answers with its ARN.
pub async fn create(
    clients: &Clients,
    name: &str,
    text: &Secret,
    kms_key: Option<&str>,
    tags: &BTreeMap<String, String>,
) -> Result<String, Failure> {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    let call = clients
        .secrets
        .create_secret()
        .name(name)
        .description("the login of MSK Replicator, kept by kafka-migrate")
        .secret_string(text.reveal())
        .set_kms_key_id(kms_key.map(str::to_owned))
        .set_tags(Some(tags.collect()));
    match call.send().await {
        Ok(made) => made
            .arn
            .ok_or_else(|| lacks("secretsmanager:CreateSecret", "ARN")),
        Err(error) => {
            let asked = Asked::to("secretsmanager:CreateSecret").on(name);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// Gives it a new version. Replicators take it at their next connection.
pub async fn rotate(clients: &Clients, arn: &str, text: &Secret) -> Result<(), Failure> {
    let call = clients
        .secrets
        .put_secret_value()
        .secret_id(arn)
        .secret_string(text.reveal());
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let asked = Asked::to("secretsmanager:PutSecretValue").on(arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// Takes it back from removal.
pub async fn restore(clients: &Clients, arn: &str) -> Result<(), Failure> {
    let call = clients.secrets.restore_secret().secret_id(arn);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let asked = Asked::to("secretsmanager:RestoreSecret").on(arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// Removes it; for so many days it can be taken back. Nothing is said of one that is gone.
pub async fn delete(clients: &Clients, arn: &str, days: i64) -> Result<(), Failure> {
    let call = clients
        .secrets
        .delete_secret()
        .secret_id(arn)
        .recovery_window_in_days(days);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(()),
        Err(error) => {
            let asked = Asked::to("secretsmanager:DeleteSecret").on(arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}
