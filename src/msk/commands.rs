//! What only a person can do: the role, the login on the external cluster and its rights, as commands to run.

use crate::model::{connection::ScramHash, msk::Msk};

/// Commands, by what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Makes the role that the replicators assume, from the files of `plan replicate --files`.
    pub role: Vec<String>,
    /// Gives the external cluster the replicators' user; with an admin's settings in `admin.properties`.
    pub user: Vec<String>,
    /// Gives that user its rights.
    pub rights: Vec<String>,
    /// Makes the log group, where one is wanted.
    pub logs: Vec<String>,
}

/// The commands of this migration. A password never stands in them.
pub fn commands(msk: &Msk, migration: &str) -> Commands {
    let role = msk.role_arn.rsplit('/').next().unwrap_or_default();
    let admin = format!(
        "--bootstrap-server {} --command-config admin.properties",
        msk.source_bootstrap.join(",")
    );
    let user = &msk.source_login.username;
    let mechanism = match msk.source_login.hash {
        ScramHash::Sha256 => "SCRAM-SHA-256",
        ScramHash::Sha512 => "SCRAM-SHA-512",
    };
    let allow = format!(
        "kafka-acls.sh {admin} --add --allow-principal {}",
        quoted(&format!("User:{user}"))
    );
    let operations = |names: &[&str]| {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("--operation {name}"))
            .collect();
        names.join(" ")
    };
    let all_of_topic = operations(&[
        "Read",
        "Write",
        "Create",
        "Describe",
        "DescribeConfigs",
        "Alter",
        "AlterConfigs",
    ]);
    let on_cluster = operations(&[
        "Create",
        "ClusterAction",
        "Describe",
        "DescribeConfigs",
        "IdempotentWrite",
        "Alter",
    ]);
    let group_rights = operations(&["Read", "Describe"]);
    Commands {
        role: vec![
            format!(
                "aws iam create-role --role-name {role} --assume-role-policy-document file://trust-policy.json"
            ),
            format!(
                "aws iam put-role-policy --role-name {role} --policy-name kafka-migrate-{} --policy-document file://replicator-policy.json",
                migration
            ),
        ],
        user: vec![format!(
            "kafka-configs.sh {admin} --alter --entity-type users --entity-name {} --add-config {}",
            quoted(user),
            quoted(&format!("{mechanism}=[iterations=8192,password=…]"))
        )],
        rights: vec![
            format!("{allow} --cluster {on_cluster}"),
            format!("{allow} --topic '*' {all_of_topic}"),
            format!("{allow} --group '*' {group_rights}"),
            format!(
                "{allow} --topic __amazon_msk_replicator_ --resource-pattern-type prefixed {all_of_topic}"
            ),
        ],
        logs: msk
            .logs
            .cloudwatch
            .iter()
            .map(|group| {
                format!(
                    "aws logs create-log-group --region {} --log-group-name {}",
                    msk.region,
                    quoted(group)
                )
            })
            .collect(),
    }
}

/// Commands that show what cannot be seen from a machine outside the replicators' subnets, by what they show.
pub fn checks(msk: &Msk) -> Vec<(&'static str, Vec<String>)> {
    let aws = |rest: String| format!("aws {rest} --region {}", msk.region);
    let words = |all: &[String]| {
        let all: Vec<String> = all.iter().map(|one| quoted(one)).collect();
        all.join(" ")
    };
    let role = msk.role_arn.rsplit('/').next().unwrap_or_default();
    let subnets = words(&msk.subnets);
    let groups = match msk.security_groups.is_empty() {
        true => String::new(),
        false => format!(" --group-ids {}", words(&msk.security_groups)),
    };
    let by_subnet = format!(
        "Name=association.subnet-id,Values={}",
        msk.subnets.join(",")
    );
    vec![
        (
            "The cluster: its state, version and logins",
            vec![aws(format!(
                "kafka describe-cluster-v2 --cluster-arn {}",
                quoted(&msk.cluster.to_string())
            ))],
        ),
        (
            "Ways out of the subnets: to the external cluster's brokers, to Secrets Manager and to KMS",
            vec![
                aws(format!("ec2 describe-subnets --subnet-ids {subnets}")),
                aws(format!(
                    "ec2 describe-route-tables --filters {}",
                    quoted(&by_subnet)
                )),
                aws(format!("ec2 describe-security-groups{groups}")),
            ],
        ),
        (
            "The role: who may assume it, and what it may do",
            vec![
                format!("aws iam get-role --role-name {role}"),
                format!("aws iam list-role-policies --role-name {role}"),
            ],
        ),
        (
            "Both replicators, once they are made",
            [&msk.forward, &msk.reverse]
                .map(|name| {
                    aws(format!(
                        "kafka list-replicators --replicator-name-filter {}",
                        quoted(name)
                    ))
                })
                .into(),
        ),
        (
            "What they report: once a minute, some minutes late",
            [&msk.forward, &msk.reverse]
                .map(|name| {
                    let dimension = format!("Name=ReplicatorName,Value={name}");
                    aws(format!(
                        "cloudwatch list-metrics --namespace AWS/Kafka --dimensions {}",
                        quoted(&dimension)
                    ))
                })
                .into(),
        ),
    ]
}

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msk::documents::tests::{msk, place};

    #[test]
    fn a_person_is_told_everything_but_the_password() {
        let msk = msk();
        let told = commands(&msk, &place().migration);
        let all = [told.role, told.user, told.rights, told.logs]
            .concat()
            .join("\n");
        for wanted in [
            "aws iam create-role --role-name MSKReplicatorRole --assume",
            "--entity-name replicator",
            "SCRAM-SHA-512=[iterations=8192,password=…]",
            "--topic __amazon_msk_replicator_ --resource-pattern-type prefixed",
            "--operation IdempotentWrite",
            "aws logs create-log-group --region us-east-1",
        ] {
            assert!(all.contains(wanted), "{wanted}: {all}");
        }
        assert!(!all.contains(msk.source_login.password.reveal()));
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
