//! What the migration file says of Amazon MSK and of the replicators between both clusters, resolved.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use super::{connection::ScramHash, secret::Secret};

/// `[msk]` of the migration file.
#[derive(Debug, Clone)]
pub struct Msk {
    /// Region of the MSK cluster, and of everything that is made.
    pub region: String,
    /// The MSK cluster.
    pub cluster: ClusterArn,
    /// Where the replicators' network interfaces are: two or three.
    pub subnets: Vec<String>,
    /// What those may reach; none: the VPC's default group.
    pub security_groups: Vec<String>,
    /// The role that the replicators assume.
    pub role_arn: String,
    /// `host:port` of the external cluster's listener that the replicators use.
    pub source_bootstrap: Vec<String>,
    /// How they log in there.
    pub source_login: Login,
    /// Whom they trust there.
    pub source_ca: Authority,
    /// Where the login and the certificates lie.
    pub secrets: Secrets,
    /// The key that the secrets are encrypted with; the account's own for Secrets Manager when left out.
    pub kms_key: Option<String>,
    /// Where the replicator to MSK begins.
    pub start: Start,
    /// Codec of the target's batches.
    pub compression: Compression,
    /// Name of the replicator from the external cluster to MSK.
    pub forward: String,
    /// Name of the replicator back.
    pub reverse: String,
    /// Where the replicators log.
    pub logs: Logs,
    /// Tags of everything that is made.
    pub tags: BTreeMap<String, String>,
    /// Between two questions about something that takes its time.
    pub ask: Duration,
    /// How long a replicator is followed.
    pub patience: Duration,
}

/// How the replicators log in to the external cluster: SASL/SCRAM.
#[derive(Debug, Clone)]
pub struct Login {
    /// Which hash.
    pub hash: ScramHash,
    /// Who.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Whom to trust on the external cluster.
#[derive(Debug, Clone)]
pub enum Authority {
    /// Its certificates are signed by an authority that everybody trusts.
    Public,
    /// PEM text of the authority's certificates, root and intermediates.
    Private {
        /// Where it was read.
        path: PathBuf,
        /// The text.
        pem: String,
    },
}

/// Where the login and the certificates lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// Both in one secret, which we make.
    One,
    /// Each in a secret of its own, which we make.
    Two,
    /// In secrets that are there already, and stay.
    Existing {
        /// ARN of the one with the login.
        login: String,
        /// ARN of the one with the certificates; the same where both lie in one.
        certificates: Option<String>,
    },
}

/// Where a replicator begins in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first record that is there.
    Earliest,
    /// With the next one that is written.
    Latest,
}

/// Codec of the target's batches, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `NONE`
    None,
    /// `GZIP`
    Gzip,
    /// `SNAPPY`
    Snappy,
    /// `LZ4`
    Lz4,
    /// `ZSTD`
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Gzip => "GZIP",
            Self::Snappy => "SNAPPY",
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
        }
    }
}

/// Where the replicators log; each may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logs {
    /// Name of a CloudWatch log group.
    pub cloudwatch: Option<String>,
    /// Name of an S3 bucket, and a prefix behind a `/` where one is wanted.
    pub s3: Option<String>,
    /// Name of a Firehose delivery stream.
    pub firehose: Option<String>,
}

/// `arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterArn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
    /// The cluster's name.
    pub name: String,
    /// What AWS added to the name.
    pub uuid: String,
}

impl ClusterArn {
    /// Takes the text apart; `Err` says in words what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = "an ARN such as arn:aws:kafka:us-east-1:123456789012:cluster/NAME/UUID";
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return Err(format!("{text:?} is no ARN; it takes {wanted}"));
        };
        if arn != "arn" || !partition.starts_with("aws") {
            return Err(format!("{text:?} is no ARN; it takes {wanted}"));
        }
        if service != "kafka" {
            return Err(format!(
                "{text:?} is an ARN of `{service}`; it takes that of a cluster, {wanted}"
            ));
        }
        let mut resource = resource.split('/');
        let (kind, name, uuid) = (resource.next(), resource.next(), resource.next());
        let (Some("cluster"), Some(name), Some(uuid), None) = (kind, name, uuid, resource.next())
        else {
            let kind = kind.unwrap_or_default();
            return Err(format!(
                "{text:?} names a `{kind}`; it takes that of a cluster, {wanted}"
            ));
        };
        let is_account = account.len() == 12 && account.bytes().all(|one| one.is_ascii_digit());
        if !is_account || region.is_empty() || name.is_empty() || uuid.is_empty() {
            return Err(format!("{text:?} is not complete; it takes {wanted}"));
        }
        Ok(Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
            uuid: uuid.to_owned(),
        })
    }

    /// The ARN of something in the cluster: `kind` is `topic` or `group`, `what` its name or a pattern.
    pub fn inside(&self, kind: &str, what: &str) -> String {
        let Self {
            partition,
            region,
            account,
            name,
            uuid,
        } = self;
        format!("arn:{partition}:kafka:{region}:{account}:{kind}/{name}/{uuid}/{what}")
    }
}

impl fmt::Display for ClusterArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            region,
            account,
            name,
            uuid,
        } = self;
        write!(
            f,
            "arn:{partition}:kafka:{region}:{account}:cluster/{name}/{uuid}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_taken_apart_and_put_together() {
        let text = "arn:aws-cn:kafka:cn-north-1:123456789012:cluster/my-cluster/abc-123-s2";
        let arn = ClusterArn::parse(text).expect("it is one");
        assert_eq!(arn.to_string(), text);
        assert_eq!((&*arn.name, &*arn.uuid), ("my-cluster", "abc-123-s2"));
        assert_eq!(
            arn.inside("topic", "*"),
            "arn:aws-cn:kafka:cn-north-1:123456789012:topic/my-cluster/abc-123-s2/*"
        );
    }

    #[test]
    fn an_arn_of_another_kind_is_named() {
        for (text, why) in [
            ("my-cluster", "is no ARN"),
            (
                "arn:aws:iam::123456789012:role/x",
                "an ARN of `iam`; it takes that of a cluster",
            ),
            (
                "arn:aws:kafka:us-east-1:123456789012:replicator/x/y-1",
                "names a `replicator`",
            ),
            (
                "arn:aws:kafka:us-east-1:123456789012:topic/x/y/z",
                "names a `topic`",
            ),
            ("arn:aws:kafka:us-east-1:12:cluster/x/y", "is not complete"),
            ("arn:aws:kafka::123456789012:cluster/x/y", "is not complete"),
        ] {
            let said = ClusterArn::parse(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
