//! The secrets of the replicators: what they have to say, what they say, and how the one becomes the other.

use serde_json::json;

use crate::{
    aws::{Clients, secrets},
    error::Failure,
    exit::Exit,
    model::{
        msk::{Authority, Msk},
        secret::Secret,
    },
    msk::{Place, is_ours, names, secret_names, tags},
};

/// The code of what is said of a secret of that name that is not ours.
pub(super) const FOREIGN: &str = "K324";

/// What a secret of ours holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// User and password, and the certificates where there is one secret.
    Login,
    /// The certificates.
    Certificates,
}

/// How a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Missing,
    /// It is going to be removed.
    Leaving,
    /// It says something else.
    Differs,
    /// It says what it has to.
    Same,
}

/// A secret that this migration keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it holds.
    pub text: Text,
    /// Its name.
    pub name: String,
    /// Its ARN, once it is there.
    pub arn: Option<String>,
    /// How it stands.
    pub state: State,
}

/// Looks at the secrets that this migration keeps. One of that name that is not ours is refused.
pub async fn kept(
    clients: &Clients,
    msk: &Msk,
    migration: &str,
    id: &str,
) -> Result<Vec<Kept>, Failure> {
    let (login, certificates) = secret_names(migration, msk);
    let wanted = [(Text::Login, login), (Text::Certificates, certificates)];
    let mut all = Vec::new();
    for (text, name) in wanted {
        let Some(name) = name else { continue };
        all.push(look(clients, msk, (text, name), migration, id).await?);
    }
    Ok(all)
}

async fn look(
    clients: &Clients,
    msk: &Msk,
    (text, name): (Text, String),
    migration: &str,
    id: &str,
) -> Result<Kept, Failure> {
    let client = clients;
    let Some(found) = secrets::find(client, &name).await? else {
        return Ok(Kept {
            text,
            name,
            arn: None,
            state: State::Missing,
        });
    };
    if is_ours(&found.tags, migration, id) != Some(true) {
        return Err(Failure::new(
            Exit::Refused,
            FOREIGN,
            format!("there is a secret called {name} already, and this migration did not make it"),
        )
        .cause(match names(&found.tags, migration) {
            true => format!(
                "its tags name a migration of this name with another journal: another team's, or this one's that was lost: {}",
                found.arn
            ),
            false => format!("its tags do not say so: {}", found.arn),
        })
        .hint("name it in `msk.secrets` if it holds the replicators' login, or remove it")
        .next(format!(
            "aws secretsmanager describe-secret --secret-id {name}"
        )));
    }
    let state = if found.is_leaving {
        State::Leaving
    } else {
        match secrets::read(client, &found.arn).await? {
            Some(says) if says == wanted_text(msk, text) => State::Same,
            _ => State::Differs,
        }
    };
    Ok(Kept {
        text,
        name,
        arn: Some(found.arn),
        state,
    })
}

/// Makes a secret say what it has to. Answers with its ARN and what was done.
pub async fn keep(
    clients: &Clients,
    msk: &Msk,
    place: &Place,
    text: Text,
) -> Result<(String, &'static str), Failure> {
    let (login, certificates) = secret_names(&place.migration, msk);
    let name = match text {
        Text::Login => login,
        Text::Certificates => certificates,
    };
    let name = name
        .ok_or_else(|| Failure::new(Exit::Bug, "K000", "a secret is kept that is not asked for"))?;
    let client = clients;
    let wanted = wanted_text(msk, text);
    let kept = look(clients, msk, (text, name), &place.migration, &place.id).await?;
    let arn = kept.arn.unwrap_or_default();
    match kept.state {
        State::Missing => {
            let tags = tags(msk, place);
            let key = msk.kms_key.as_deref();
            let arn = secrets::create(client, &kept.name, &wanted, key, &tags).await?;
            Ok((arn, "made"))
        }
        State::Leaving => {
            secrets::restore(client, &arn).await?;
            // What it said before it was removed may be old.
            if secrets::read(client, &arn).await?.as_ref() != Some(&wanted) {
                secrets::rotate(client, &arn, &wanted).await?;
            }
            Ok((arn, "taken back from removal"))
        }
        State::Differs => {
            secrets::rotate(client, &arn, &wanted).await?;
            Ok((arn, "given a new version"))
        }
        State::Same => Ok((arn, "as it has to be")),
    }
}

/// The text of a secret: one flat JSON object.
fn wanted_text(msk: &Msk, text: Text) -> Secret {
    let certificate = match &msk.source_ca {
        Authority::Private { pem, .. } => Some(pem),
        Authority::Public => None,
    };
    let login = &msk.source_login;
    let has_both = matches!(msk.secrets, crate::model::msk::Secrets::One);
    let mut fields = serde_json::Map::new();
    if text == Text::Login {
        fields.insert("username".into(), json!(login.username));
        fields.insert("password".into(), json!(login.password.reveal()));
    }
    if let Some(pem) = certificate
        && (text == Text::Certificates || has_both)
    {
        fields.insert("certificate".into(), json!(pem));
    }
    Secret::new(serde_json::Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::msk::Secrets, msk::sample};

    #[test]
    fn one_secret_says_everything_and_two_say_half_each() {
        let mut msk = sample::msk();
        let keys = |msk: &Msk, text| -> Vec<String> {
            let text = wanted_text(msk, text);
            let value: serde_json::Value = serde_json::from_str(text.reveal()).expect("JSON");
            let fields = value.as_object().expect("an object");
            fields.keys().cloned().collect()
        };
        msk.secrets = Secrets::One;
        assert_eq!(
            keys(&msk, Text::Login),
            ["certificate", "password", "username"]
        );
        msk.secrets = Secrets::Two;
        assert_eq!(keys(&msk, Text::Login), ["password", "username"]);
        assert_eq!(keys(&msk, Text::Certificates), ["certificate"]);
        msk.source_ca = Authority::Public;
        msk.secrets = Secrets::One;
        assert_eq!(keys(&msk, Text::Login), ["password", "username"]);
    }
}
