//! `[msk]`: what Amazon and the two replicators have to be told, and what follows from other settings where nobody says.

mod external;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    amazon::NOT_BUILT,
    fault,
    overlay::Resolving,
    settings::{Settings, variable},
    value::Value,
};
use crate::{
    error::Failure,
    exit::Exit,
    model::{
        connection::Connection,
        msk::{ClusterArn, Compression, Logs, Msk, Start},
    },
};

/// How long a gate must have been open, by default: CloudWatch tells a number a minute, and late.
const HOLD: Duration = Duration::from_secs(300);
/// How often AWS is asked, by default, and for how long: it allows half an hour to make a replicator.
const ASK: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(90 * 60);
/// What the replicators log in to the external cluster with.
const SOURCE_AUTH: [&str; 3] = [
    "msk.source_auth.mechanism",
    "msk.source_auth.username",
    "msk.source_auth.password",
];
/// What MSK Replicator needs of an external cluster.
const LISTENER: &str = "MSK Replicator needs a SASL_SSL listener with SCRAM";

impl Settings {
    /// Refuses a command that works with our own engine alone, by its name.
    pub fn embedded_only(&self, command: &str) -> Result<(), Failure> {
        if self.msk.is_none() {
            return Ok(());
        }
        let sentence =
            format!("`{command}` is not available with backend = \"msk\" in this version");
        Err(Failure::new(Exit::Usage, fault::UNAVAILABLE, sentence)
            .hint("`config` and `verify` are; with backend = \"embedded\" our own engine copies")
            .next("kafka-migrate config"))
    }
}

impl Resolving<'_> {
    /// Lays down what follows from other settings, where nobody said otherwise.
    pub(super) fn msk_defaults(&mut self) {
        if !self.is_msk() {
            return;
        }
        // Both replicators are made, or none: its ENHANCED positions need them.
        self.by_default("replication.two_way", Value::Flag(true));
        self.by_default("ready.hold", Value::Duration(HOLD));
        self.by_default("msk.secrets", Value::Texts(vec!["one".into()]));
        self.by_default("msk.ask", Value::Duration(ASK));
        self.by_default("msk.patience", Value::Duration(PATIENCE));
        self.by_default("msk.compression", Value::Text("LZ4".into()));
        if let Some(name) = self.text("name") {
            for way in ["forward", "reverse"] {
                let value = Value::Text(format!("{name}-{way}"));
                self.by_default(&format!("msk.names.{way}"), value);
            }
        }
        let is_tls = self.value("source.tls").is_some() || self.value("source.tls.ca").is_some();
        if is_tls {
            self.copy_by_default("source.bootstrap", "msk.source_bootstrap");
            match self.value("source.tls.ca") {
                Some(_) => self.copy_by_default("source.tls.ca", "msk.source_ca"),
                None => self.by_default("msk.source_ca", Value::Text("public".into())),
            }
        }
        let is_scram = self
            .text("source.auth.mechanism")
            .is_some_and(|mechanism| mechanism.starts_with("scram-"));
        if is_scram && !SOURCE_AUTH.iter().any(|path| self.is_written(path)) {
            for path in SOURCE_AUTH {
                self.copy_by_default(&path.replace("msk.source_auth", "source.auth"), path);
            }
        }
    }

    fn copy_by_default(&mut self, from: &str, to: &str) {
        if let Some(value) = self.value(from).cloned() {
            self.by_default(to, value);
        }
    }

    /// `[msk]`; `None` where another backend copies, or where it is wrong, which a fault then says. `source` is how we reach the source.
    pub(super) fn msk(&mut self, source: Option<&Connection>) -> Option<Msk> {
        if !self.is_msk() {
            return None;
        }
        if self.amazon.tokens.is_none() {
            self.fault_of(
                "backend",
                fault::UNAVAILABLE,
                format!("\"msk\" is not available: {}", NOT_BUILT.0),
                Some(NOT_BUILT.1.into()),
            );
        }
        let region = self.region();
        let cluster = self.cluster(region.as_deref());
        let role_arn = self.role(cluster.as_ref());
        let subnets = self.ids("msk.subnets", "subnet-", 2, 3);
        let security_groups = match self.value("msk.security_groups") {
            Some(_) => self.ids("msk.security_groups", "sg-", 1, 16),
            None => Some(Vec::new()),
        };
        let source_bootstrap = self.source_bootstrap();
        let source_login = self.source_login(source);
        let source_ca = self.source_ca(source);
        let secrets = self.secrets(region.as_deref());
        let compression = self.compression();
        let names = (self.name_of("forward"), self.name_of("reverse"));
        if let (Some(forward), Some(reverse)) = &names
            && forward == reverse
        {
            self.bad(
                "msk.names.reverse",
                format!("{reverse:?} is the name of the other replicator, too"),
                "give them two names",
            );
        }
        let logs = self.logs();
        let tags = self.tags();
        let start = self.start();
        if matches!(self.value("replication.two_way"), Some(Value::Flag(false))) {
            self.bad(
                "replication.two_way",
                "false is not for backend = \"msk\": both replicators are made".into(),
                "leave it out",
            );
        }
        Some(Msk {
            region: region?,
            cluster: cluster?,
            subnets: subnets?,
            security_groups: security_groups?,
            role_arn: role_arn?,
            source_bootstrap: source_bootstrap?,
            source_login: source_login?,
            source_ca: source_ca?,
            secrets: secrets?,
            kms_key: self.text("msk.kms_key"),
            start: start?,
            compression: compression?,
            forward: names.0?,
            reverse: names.1?,
            logs,
            tags,
            ask: self.duration("msk.ask")?,
            patience: self.duration("msk.patience")?,
        })
    }

    fn bad(&mut self, path: &str, message: String, hint: &str) {
        self.fault_of(path, fault::BAD_VALUE, message, Some(hint.to_owned()));
    }

    /// Says that a key is missing, unless what was written there is refused already.
    fn missing(&mut self, path: &str, why: &str) {
        if self.document.refused.contains(path) {
            return;
        }
        let hint = match super::fields::find(path) {
            Some(field) => format!("write it ({}), or set {}", field.doc, variable(path)),
            None => String::new(),
        };
        let message = format!("\"msk\" needs `{path}`{why}");
        self.fault_of("backend", fault::MISSING, message, Some(hint));
    }

    fn needed(&mut self, path: &str) -> Option<String> {
        let text = self.text(path);
        if text.is_none() {
            self.missing(path, "");
        }
        text
    }

    fn region(&mut self) -> Option<String> {
        let region = self.needed("msk.region")?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_region = region.bytes().all(plain)
            && region.matches('-').count() >= 2
            && region.ends_with(|last: char| last.is_ascii_digit());
        if !is_region {
            self.bad(
                "msk.region",
                format!("{region:?} is no region"),
                "regions are called such as us-east-1",
            );
            return None;
        }
        Some(region)
    }

    fn cluster(&mut self, region: Option<&str>) -> Option<ClusterArn> {
        const PATH: &str = "msk.cluster_arn";
        let text = self.needed(PATH)?;
        let cluster = match ClusterArn::parse(&text) {
            Ok(cluster) => cluster,
            Err(why) => {
                self.bad(PATH, why, "`aws kafka list-clusters-v2` shows it");
                return None;
            }
        };
        if let Some(region) = region.filter(|region| *region != cluster.region) {
            let message = format!(
                "the cluster is in {}, and `msk.region` is {region}",
                cluster.region
            );
            self.bad(PATH, message, "correct one of the two");
        }
        Some(cluster)
    }

    fn role(&mut self, cluster: Option<&ClusterArn>) -> Option<String> {
        const PATH: &str = "msk.role_arn";
        const HINT: &str =
            "roles are named such as arn:aws:iam::123456789012:role/MSKReplicatorRole";
        let arn = self.needed(PATH)?;
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let account = match parts[..] {
            [
                "arn",
                "aws" | "aws-us-gov" | "aws-cn",
                "iam",
                "",
                account,
                role,
            ] if account.len() == 12
                && account.bytes().all(|one| one.is_ascii_digit())
                && role
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty()) =>
            {
                account
            }
            _ => {
                self.bad(PATH, format!("{arn:?} is no ARN of a role"), HINT);
                return None;
            }
        };
        if let Some(cluster) = cluster.filter(|cluster| cluster.account != account) {
            let message = format!(
                "the role is of account {account}, the cluster of {}",
                cluster.account
            );
            self.bad(
                PATH,
                message,
                "a service takes roles of its own account only",
            );
        }
        Some(arn)
    }

    /// Names that AWS gave, so many of them, each once.
    fn ids(&mut self, path: &str, prefix: &str, least: usize, most: usize) -> Option<Vec<String>> {
        let Some(ids) = self.texts(path) else {
            self.missing(path, "");
            return None;
        };
        let mut seen = BTreeSet::new();
        let hint = format!("they are called such as {prefix}0a1b2c3d4e5f67890");
        for id in &ids {
            let is_id = id.strip_prefix(prefix).is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|one| one.is_ascii_alphanumeric())
            });
            if !is_id {
                self.bad(
                    path,
                    format!("{id:?} does not begin with {prefix}, or not go on as such"),
                    &hint,
                );
            } else if !seen.insert(id) {
                self.bad(path, format!("{id:?} stands there twice"), "name each once");
            }
        }
        if !(least..=most).contains(&ids.len()) {
            let message = format!(
                "MSK Replicator takes {least} to {most}, and here are {}",
                ids.len()
            );
            self.bad(
                path,
                message,
                "they are of the VPC that reaches both clusters",
            );
        }
        Some(ids)
    }

    fn compression(&mut self) -> Option<Compression> {
        const PATH: &str = "msk.compression";
        let text = self.text(PATH)?;
        let known = Compression::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(&text));
        if known.is_none() {
            let names = Compression::ALL.map(Compression::name).join(", ");
            self.bad(
                PATH,
                format!("expected one of {names}, found {text:?}"),
                "that of the source's own batches costs the least",
            );
        }
        known
    }

    fn name_of(&mut self, way: &str) -> Option<String> {
        let path = format!("msk.names.{way}");
        let name = self.text(&path)?;
        let is_name = name.len() <= 128
            && name
                .bytes()
                .all(|one| one.is_ascii_alphanumeric() || one == b'-')
            && !name.starts_with('-');
        if !is_name {
            self.bad(
                &path,
                format!("{name:?} cannot be a replicator's name"),
                "letters, digits and hyphens, at most 128, beginning with a letter or digit",
            );
            return None;
        }
        Some(name)
    }

    fn logs(&mut self) -> Logs {
        let logs = Logs {
            cloudwatch: self.text("msk.logs.cloudwatch"),
            s3: self.text("msk.logs.s3"),
            firehose: self.text("msk.logs.firehose"),
        };
        for (path, text) in [
            ("msk.logs.cloudwatch", &logs.cloudwatch),
            ("msk.logs.s3", &logs.s3),
            ("msk.logs.firehose", &logs.firehose),
        ] {
            if let Some(text) = text.as_ref().filter(|text| text.contains(':')) {
                let hint = "write its name alone, not its ARN or address";
                self.bad(path, format!("{text:?} is not the name of one"), hint);
            }
        }
        logs
    }

    fn tags(&mut self) -> BTreeMap<String, String> {
        const PATH: &str = "msk.tags";
        let Some(Value::Labels(labels)) = self.value(PATH).cloned() else {
            return BTreeMap::new();
        };
        for (key, value) in &labels {
            let (of_key, of_value) = (key.chars().count(), value.chars().count());
            let wrong = match key {
                _ if key.to_lowercase().starts_with("aws:") => {
                    Some("begins with aws:, which is AWS's own".to_owned())
                }
                _ if !(1..=128).contains(&of_key) => {
                    Some(format!("has {of_key} characters; keys have 1 to 128"))
                }
                _ if of_value > 256 => Some(format!(
                    "has a value of {of_value} characters; at most 256 are taken"
                )),
                _ => None,
            };
            if let Some(wrong) = wrong {
                self.bad(
                    PATH,
                    format!("the tag {key:?} {wrong}"),
                    "change it, or leave it out",
                );
            }
        }
        if labels.len() > 50 {
            self.bad(
                PATH,
                format!("{} are too many: AWS takes 50", labels.len()),
                "leave some out",
            );
        }
        labels.into_iter().collect()
    }

    fn start(&mut self) -> Option<Start> {
        const PATH: &str = "replication.start";
        match self.text(PATH)?.as_str() {
            "earliest" => Some(Start::Earliest),
            "latest" => Some(Start::Latest),
            time => {
                let message = format!("{time:?} is not for backend = \"msk\"");
                self.bad(
                    PATH,
                    message,
                    "MSK Replicator begins at earliest or at latest",
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
