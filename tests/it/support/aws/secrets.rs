//! AWS Secrets Manager: secrets with versions and stages, deletion that is scheduled and taken back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    desk::{Answer, Desk, number_or, seconds, texts},
    refusal::Refusal,
    validate::matches_whole,
};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const DAY: i64 = 86_400_000;

#[derive(Debug, Clone)]
struct Version {
    id: String,
    string: Value,
    binary: Value,
    stages: Vec<String>,
    created: i64,
}

#[derive(Debug, Clone)]
struct Secret {
    arn: String,
    name: String,
    description: Value,
    kms_key: Value,
    tags: BTreeMap<String, String>,
    versions: Vec<Version>,
    created: i64,
    changed: i64,
    /// When deletion was asked for, and when it is done.
    deleted: Option<(i64, i64)>,
}

fn invalid(message: &str) -> Refusal {
    Refusal::of("InvalidParameterException", message)
}

fn forbidden(message: &str) -> Refusal {
    Refusal::of("InvalidRequestException", message)
}

impl Secret {
    fn living(&mut self) -> Result<&mut Self, Refusal> {
        match self.deleted {
            None => Ok(self),
            Some(_) => Err(forbidden(
                "You can't perform this operation on the secret because it was marked for deletion.",
            )),
        }
    }

    fn at_stage(&self, stage: &str) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.stages.iter().any(|one| one == stage))
    }

    /// Adds the value of a request, if it has one; answers the version's id.
    fn put(&mut self, input: &Value, desk: &Desk) -> Result<Option<String>, Refusal> {
        let (string, binary) = (&input["SecretString"], &input["SecretBinary"]);
        if string.is_null() && binary.is_null() {
            return Ok(None);
        }
        if !string.is_null() && !binary.is_null() {
            let message = "You can't specify both a binary secret value and a string secret value in the same secret.";
            return Err(invalid(message));
        }
        let id = input["ClientRequestToken"]
            .as_str()
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        if let Some(same) = self.versions.iter().find(|version| version.id == id) {
            if same.string == *string && same.binary == *binary {
                return Ok(Some(id));
            }
            let message = "You can't use ClientRequestToken again with another value: a version cannot be changed.";
            return Err(Refusal::of("ResourceExistsException", message));
        }
        let asked = texts(&input["VersionStages"]);
        let stages: Vec<String> = if asked.is_empty() {
            vec![CURRENT.to_owned()]
        } else {
            asked.into_iter().map(str::to_owned).collect()
        };
        // The first version is the current one, whatever else it is.
        let mut stages = stages;
        if self.versions.is_empty() && !stages.iter().any(|stage| stage == CURRENT) {
            stages.push(CURRENT.to_owned());
        }
        let takes_over = stages.iter().any(|stage| stage == CURRENT);
        for version in &mut self.versions {
            let was_current = version.stages.iter().any(|stage| stage == CURRENT);
            version.stages.retain(|stage| !stages.contains(stage));
            if takes_over {
                version.stages.retain(|stage| stage != PREVIOUS);
                if was_current {
                    version.stages.push(PREVIOUS.to_owned());
                }
            }
        }
        self.versions.push(Version {
            id: id.clone(),
            string: string.clone(),
            binary: binary.clone(),
            stages,
            created: desk.now(),
        });
        self.changed = desk.now();
        Ok(Some(id))
    }

    fn output(&self, stages_key: &str) -> Value {
        let stages: serde_json::Map<String, Value> = self
            .versions
            .iter()
            .filter(|version| !version.stages.is_empty())
            .map(|version| (version.id.clone(), json!(version.stages)))
            .collect();
        let tags: Vec<Value> = self
            .tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key,
            "CreatedDate": seconds(self.created),
            "LastChangedDate": seconds(self.changed),
            "DeletedDate": self.deleted.map(|(asked, _)| seconds(asked)),
            "Tags": tags,
            stages_key: stages,
        })
    }

    fn tag(&mut self, tags: &Value) -> Result<(), Refusal> {
        for tag in tags.as_array().into_iter().flatten() {
            let text = |key: &str| tag[key].as_str().unwrap_or_default().to_owned();
            if text("Key").is_empty() || text("Key").starts_with("aws:") {
                return Err(invalid("The tag's key is not valid."));
            }
            self.tags.insert(text("Key"), text("Value"));
        }
        Ok(())
    }
}

/// The secrets of a region, by name.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Removes those whose time to be taken back is over.
    pub fn settle(&mut self, desk: &Desk) {
        let now = desk.now();
        self.0
            .retain(|_, secret| secret.deleted.is_none_or(|(_, end)| now < end));
    }

    /// By name, by ARN, or by an ARN without what was added to the name.
    fn find(&mut self, input: &Value) -> Result<&mut Secret, Refusal> {
        let id = input["SecretId"].as_str().unwrap_or_default();
        self.0
            .values_mut()
            .find(|secret| {
                let (short, _) = secret.arn.rsplit_once('-').unwrap_or_default();
                secret.name == id || secret.arn == id || short == id
            })
            .ok_or_else(|| {
                Refusal::of(
                    "ResourceNotFoundException",
                    "Secrets Manager can't find the specified secret.",
                )
            })
    }

    /// What a replicator reads: by the whole ARN only.
    pub fn current(&self, arn: &str) -> Option<&str> {
        let secret = self.0.values().find(|secret| secret.arn == arn)?;
        if secret.deleted.is_some() {
            return None;
        }
        secret.at_stage(CURRENT)?.string.as_str()
    }

    pub fn create(&mut self, desk: &mut Desk, input: &Value) -> Answer {
        let name = input["Name"].as_str().unwrap_or_default();
        if !matches_whole(r"[A-Za-z0-9/_+=.@-]+", name) {
            return Err(invalid(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            ));
        }
        if let Some(other) = self.0.get(name) {
            if other.deleted.is_some() {
                return Err(forbidden(
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ));
            }
            let token = input["ClientRequestToken"].as_str();
            let same = other.versions.iter().find(|version| {
                Some(&*version.id) == token
                    && version.string == input["SecretString"]
                    && version.binary == input["SecretBinary"]
            });
            if let Some(same) = same {
                return Ok(json!({ "ARN": other.arn, "Name": name, "VersionId": same.id }));
            }
            return Err(Refusal::of(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            ));
        }
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let suffix = desk.id(letters, 6);
        let mut secret = Secret {
            arn: format!(
                "arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}",
                desk.region,
                super::ACCOUNT,
            ),
            name: name.to_owned(),
            description: input["Description"].clone(),
            kms_key: input["KmsKeyId"].clone(),
            tags: BTreeMap::new(),
            versions: Vec::new(),
            created: desk.now(),
            changed: desk.now(),
            deleted: None,
        };
        secret.tag(&input["Tags"])?;
        let version = secret.put(input, desk)?;
        let answer = json!({ "ARN": secret.arn, "Name": name, "VersionId": version });
        self.0.insert(name.to_owned(), secret);
        Ok(answer)
    }

    pub fn describe(&mut self, input: &Value) -> Answer {
        Ok(self.find(input)?.output("VersionIdsToStages"))
    }

    pub fn value(&mut self, input: &Value) -> Answer {
        let secret = self.find(input)?.living()?;
        let (id, stage) = (input["VersionId"].as_str(), input["VersionStage"].as_str());
        let stage = stage.or(if id.is_none() { Some(CURRENT) } else { None });
        let version = secret.versions.iter().find(|version| {
            id.is_none_or(|id| version.id == id)
                && stage.is_none_or(|stage| version.stages.iter().any(|one| one == stage))
        });
        let version = version.ok_or_else(|| {
            Refusal::of(
                "ResourceNotFoundException",
                format!(
                    "Secrets Manager can't find the specified secret value for staging label: {}",
                    stage.unwrap_or_default()
                ),
            )
        })?;
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.id,
            "SecretString": version.string,
            "SecretBinary": version.binary,
            "VersionStages": (!version.stages.is_empty()).then_some(&version.stages),
            "CreatedDate": seconds(version.created),
        }))
    }

    pub fn put(&mut self, desk: &Desk, input: &Value) -> Answer {
        let secret = self.find(input)?.living()?;
        let Some(id) = secret.put(input, desk)? else {
            return Err(forbidden(
                "You must provide either SecretString or SecretBinary.",
            ));
        };
        let version = secret.versions.iter().find(|version| version.id == id);
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": id,
            "VersionStages": version.map(|version| &version.stages),
        }))
    }

    pub fn update(&mut self, desk: &Desk, input: &Value) -> Answer {
        let secret = self.find(input)?.living()?;
        let version = secret.put(input, desk)?;
        if !input["Description"].is_null() {
            secret.description = input["Description"].clone();
        }
        if !input["KmsKeyId"].is_null() {
            secret.kms_key = input["KmsKeyId"].clone();
        }
        secret.changed = desk.now();
        Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version }))
    }

    pub fn delete(&mut self, desk: &Desk, input: &Value) -> Answer {
        let forced = input["ForceDeleteWithoutRecovery"] == true;
        let window = &input["RecoveryWindowInDays"];
        if forced && !window.is_null() {
            return Err(invalid(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = window.as_i64().unwrap_or(30);
        if !(7..=30).contains(&days) {
            return Err(invalid(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let secret = match self.find(input) {
            Ok(secret) => secret,
            // Removing by force what is not there is no error.
            Err(_) if forced => {
                let name = input["SecretId"].as_str().unwrap_or_default();
                return Ok(json!({ "Name": name, "DeletionDate": seconds(desk.now()) }));
            }
            Err(refusal) => return Err(refusal),
        };
        if !forced {
            secret.living()?;
        }
        let now = desk.now();
        let end = if forced { now } else { now + days * DAY };
        secret.deleted = Some((now, end));
        let answer = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "DeletionDate": seconds(end),
        });
        self.settle(desk);
        Ok(answer)
    }

    pub fn restore(&mut self, input: &Value) -> Answer {
        let secret = self.find(input)?;
        secret.deleted = None;
        Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
    }

    pub fn tag(&mut self, input: &Value) -> Answer {
        self.find(input)?.living()?.tag(&input["Tags"])?;
        Ok(Value::Null)
    }

    pub fn list(&self, desk: &Desk, input: &Value) -> Answer {
        let all = input["IncludePlannedDeletion"] == true;
        let filters = input["Filters"].as_array();
        let fits = |secret: &Secret| {
            filters.into_iter().flatten().all(|filter| {
                let values = texts(&filter["Values"]);
                let any = |text: &str| values.iter().any(|value| text.starts_with(value));
                match filter["Key"].as_str().unwrap_or_default() {
                    "name" => any(&secret.name),
                    "description" => any(secret.description.as_str().unwrap_or_default()),
                    "tag-key" => secret.tags.keys().any(|key| any(key)),
                    "tag-value" => secret.tags.values().any(|value| any(value)),
                    _ => false,
                }
            })
        };
        let items = self
            .0
            .values()
            .filter(|secret| (all || secret.deleted.is_none()) && fits(secret))
            .map(|secret| secret.output("SecretVersionsToStages"))
            .collect();
        let most = number_or(input, "MaxResults", 100);
        let (page, next) = desk
            .page(items, input["NextToken"].as_str(), most)
            .ok_or_else(|| Refusal::of("InvalidNextTokenException", "The token is not valid."))?;
        Ok(json!({ "SecretList": page, "NextToken": next }))
    }
}
