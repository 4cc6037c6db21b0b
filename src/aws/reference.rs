//! Reads secrets that the migration file refers to.

use std::collections::BTreeMap;

use super::{Clients, failure::Asked};
use crate::{
    error::Failure,
    exit::Exit,
    model::secret::{Secret, Stored},
};

/// Fetches them all, each from its own region.
pub async fn fetch(wanted: &[Stored]) -> Result<BTreeMap<Stored, Secret>, Failure> {
    let mut clients: BTreeMap<&str, Clients> = BTreeMap::new();
    let mut whole: BTreeMap<&str, String> = BTreeMap::new();
    let mut fetched = BTreeMap::new();
    for stored in wanted {
        if !clients.contains_key(stored.region()) {
            let client = Clients::open(stored.region(), None).await;
            clients.insert(stored.region(), client);
        }
        // Several keys of one secret are one call.
        if !whole.contains_key(&*stored.arn) {
            let text = one(&clients[stored.region()], stored).await?;
            whole.insert(&stored.arn, text);
        }
        let secret = part(stored, &whole[&*stored.arn])?;
        fetched.insert(stored.clone(), secret);
    }
    Ok(fetched)
}

async fn one(clients: &Clients, stored: &Stored) -> Result<String, Failure> {
    let asked = Asked::to("secretsmanager:GetSecretValue").on(&stored.arn);
    let call = clients.secrets.get_secret_value().secret_id(&stored.arn);
    match call.send().await {
        Ok(answer) => answer.secret_string.ok_or_else(|| {
            unfit(stored, "holds bytes, and no text").hint("store the password as text")
        }),
        Err(error) => Err(clients.failed(&asked, &error).await),
    }
}

/// The secret itself, or what stands in it under a key.
fn part(stored: &Stored, text: &str) -> Result<Secret, Failure> {
    let secret = match &stored.key {
        None => text.to_owned(),
        Some(key) => {
            // The error of the parser would show what stands there.
            let object: serde_json::Value = serde_json::from_str(text).map_err(|_| {
                unfit(stored, "is no JSON, and a key of it is asked for")
                    .hint("leave `key` out, or store a JSON object")
            })?;
            match object.get(key) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(_) => {
                    let why = format!("holds something else than text as {key:?}");
                    return Err(unfit(stored, &why).hint("store it in quotes"));
                }
                None => {
                    let why = format!("has no key {key:?}");
                    return Err(unfit(stored, &why).hint("correct `key`"));
                }
            }
        }
    };
    if secret.is_empty() {
        return Err(unfit(stored, "is empty").hint("store the password there"));
    }
    Ok(Secret::new(secret))
}

fn unfit(stored: &Stored, why: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "K314",
        format!("the secret {} {why}", stored.arn),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: Option<&str>) -> Stored {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf";
        Stored::new(arn, key.map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_secret_is_taken_whole_or_by_a_key() {
        let object = r#"{"username": "app", "password": "hunter2", "port": 9096}"#;
        let password = part(&stored(Some("password")), object).unwrap();
        assert_eq!(password.reveal(), "hunter2");
        assert_eq!(part(&stored(None), object).unwrap().reveal(), object);
    }

    #[test]
    fn what_is_not_there_is_told_without_what_is() {
        for (key, text, says) in [
            (
                Some("pass"),
                r#"{"password": "hunter2"}"#,
                "has no key \"pass\"",
            ),
            (
                Some("a"),
                r#"{"a": ["hunter2"]}"#,
                "something else than text",
            ),
            (Some("a"), "hunter2", "is no JSON"),
            (Some("a"), r#""hunter2""#, "has no key"),
            (None, "", "is empty"),
        ] {
            let failure = part(&stored(key), text).unwrap_err();
            assert_eq!((failure.exit, failure.code), (Exit::Usage, "K314"));
            assert!(failure.message.contains(says), "{failure}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
