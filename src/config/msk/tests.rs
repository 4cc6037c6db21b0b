//! What `[msk]` means, what follows from other settings, and that everything wrong with it is told at once.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use super::*;
use crate::{
    config::{Amazon, resolve},
    model::{
        connection::{Making, ScramHash, Token, Tokens},
        msk::{Authority, Secrets},
        secret::{Secret, Stored},
    },
};

/// Makes no tokens; it is there, as in a build with AWS.
struct NoTokens(String);

impl Tokens for NoTokens {
    fn name(&self) -> &str {
        &self.0
    }

    fn token(&self) -> Making<'_> {
        Box::pin(async {
            Ok(Token {
                value: Secret::new("token"),
                ends: 0,
            })
        })
    }
}

fn amazon() -> Amazon {
    Amazon {
        tokens: Some(|region| Arc::new(NoTokens(region.to_owned()))),
        secrets: BTreeMap::new(),
    }
}

/// Reads a file of this text beside a certificate and a password.
fn read_with(text: &str, amazon: &Amazon) -> Result<Settings, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(vec!["kafka1".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, text).unwrap();
    resolve(&path, &[], Some(Path::new("s")), &BTreeMap::new(), amazon)
}

fn read(text: &str) -> Result<Settings, Failure> {
    read_with(text, &amazon())
}

/// What is wrong with it, a line each: file names without their directory.
fn faults(text: &str) -> Vec<String> {
    let failure = read(text).map(drop).expect_err("something is wrong");
    let lines = match failure.causes.is_empty() {
        true => vec![failure.message],
        false => failure.causes,
    };
    lines
        .into_iter()
        .map(|line| {
            line.split_once("m.toml:")
                .map_or(line.clone(), |(_, rest)| rest.to_owned())
        })
        .collect()
}

const SECURE: &str = r#"version = 1
name = "orders"
backend = "msk"
[source]
bootstrap = ["kafka1:9096", "kafka2:9096"]
[source.auth]
mechanism = "scram-sha-256"
username = "migrator"
password = { file = "password" }
[source.tls]
ca = "ca.pem"
[target]
bootstrap = ["b-1.m.abc.c2.kafka.us-east-1.amazonaws.com:9098"]
[target.auth]
mechanism = "msk-iam"
[scope]
topics = ["*"]
[msk]
region = "us-east-1"
cluster_arn = "arn:aws:kafka:us-east-1:123456789012:cluster/m/abc-2"
subnets = ["subnet-1a", "subnet-2b"]
role_arn = "arn:aws:iam::123456789012:role/path/Replicator"
"#;

#[test]
fn little_has_to_be_said_and_the_rest_follows() {
    let settings = read(SECURE).unwrap();
    let msk = settings.msk.as_ref().expect("it is the backend");
    assert_eq!(
        (&*msk.forward, &*msk.reverse),
        ("orders-forward", "orders-reverse")
    );
    assert_eq!(msk.source_bootstrap, ["kafka1:9096", "kafka2:9096"]);
    assert_eq!(msk.source_login.username, "migrator");
    assert_eq!(msk.source_login.hash, ScramHash::Sha256);
    assert_eq!(msk.source_login.password.reveal(), "hunter2");
    assert!(matches!(&msk.source_ca, Authority::Private { path, pem }
        if path.ends_with("ca.pem") && pem.contains("BEGIN CERTIFICATE")));
    assert_eq!(msk.secrets, Secrets::One);
    assert_eq!(msk.compression, Compression::Lz4);
    assert_eq!(msk.start, Start::Earliest);
    assert!(msk.security_groups.is_empty() && msk.tags.is_empty() && msk.kms_key.is_none());
    assert_eq!(settings.ready.hold, HOLD);
    assert!(settings.two_way);
    let refused = settings.embedded_only("replicate").unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Usage, "K016"));
    assert!(refused.message.starts_with("`replicate` is not available"));
    // Encrypted although no table says so, and with tokens of the region that the broker's name says.
    assert!(settings.target.tls.is_some());
    assert_eq!(settings.target.tokens().unwrap().name(), "us-east-1");
    let listed = |path: &str| {
        let found = settings.listing.iter().find(|listed| listed.path == path);
        found.map(|listed| {
            (
                listed.value.as_str(),
                listed.used,
                listed.origin == crate::config::Origin::Default,
            )
        })
    };
    assert_eq!(
        listed("msk.names.forward"),
        Some(("orders-forward", true, true))
    );
    assert_eq!(
        listed("msk.source_auth.password"),
        Some(("*** (file password)", true, true))
    );
    assert_eq!(listed("ready.hold"), Some(("5m", true, true)));
    assert_eq!(listed("msk.region"), Some(("us-east-1", true, false)));
}

#[test]
fn everything_can_be_said() {
    let text = SECURE
        .replace("[source.tls]\nca = \"ca.pem\"\n", "")
        .replace("scram-sha-256", "plain")
        .replace(
            "[scope]",
            "[ready]\nhold = \"90s\"\n[replication]\nstart = \"latest\"\n[scope]",
        )
        + r#"security_groups = ["sg-1", "sg-2"]
source_bootstrap = ["kafka1.vpc:9094"]
source_auth = { mechanism = "scram-sha-512", username = "replicator", password = { file = "password" } }
source_ca = "public"
secrets = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf", "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-AbCdEf"]
kms_key = "alias/secrets"
compression = "none"
names = { forward = "There", reverse = "and-back" }
logs = { cloudwatch = "/msk/orders", s3 = "bucket/prefix", firehose = "stream" }
tags = { team = "platform", "cost:centre" = "" }
"#;
    let settings = read(&text).unwrap();
    let msk = settings.msk.expect("it is the backend");
    assert_eq!(msk.source_bootstrap, ["kafka1.vpc:9094"]);
    assert_eq!(msk.source_login.hash, ScramHash::Sha512);
    assert!(matches!(msk.source_ca, Authority::Public));
    assert!(
        matches!(&msk.secrets, Secrets::Existing { login, certificates: Some(other) }
        if login.contains("login") && other.contains("ca-"))
    );
    assert_eq!(msk.compression, Compression::None);
    assert_eq!(msk.start, Start::Latest);
    assert_eq!((&*msk.forward, &*msk.reverse), ("There", "and-back"));
    assert_eq!(msk.logs.s3.as_deref(), Some("bucket/prefix"));
    assert_eq!(msk.tags["team"], "platform");
    assert_eq!(msk.tags["cost:centre"], "");
    assert_eq!(settings.ready.hold, Duration::from_secs(90));
}

#[test]
fn everything_wrong_is_told_at_once_and_where() {
    let text = SECURE
        .replace("region = \"us-east-1\"", "region = \"us-east-2\"")
        .replace("\"subnet-2b\"]", "\"subnet-1a\", \"net-3\", \"subnet-4\"]")
        .replace("role/path", "user/path")
        .replace(
            "[scope]",
            "[replication]\nstart = \"2026-01-31T00:00:00Z\"\ntwo_way = false\n[scope]",
        )
        + r#"security_groups = []
source_auth = { mechanism = "plain", username = "x" }
source_ca = "key.pem"
secrets = ["arn:aws:secretsmanager:us-east-2:123456789012:secret:login"]
compression = "brotli"
names = { forward = "a_b", reverse = "-c" }
logs = { cloudwatch = "arn:aws:logs:us-east-2:123456789012:log-group:x" }
tags = { "aws:x" = "y" }
"#;
    let said = faults(&text);
    let all = said.join("\n");
    for says in [
        "23:15: msk.cluster_arn: the cluster is in us-east-1, and `msk.region` is us-east-2",
        "msk.subnets: \"subnet-1a\" stands there twice",
        "msk.subnets: \"net-3\" does not begin with subnet-",
        "msk.subnets: MSK Replicator takes 2 to 3, and here are 4",
        "msk.security_groups: MSK Replicator takes 1 to 16, and here are 0",
        "msk.role_arn: \"arn:aws:iam::123456789012:user/path/Replicator\" is no ARN of a role",
        "msk.source_auth.mechanism: \"plain\" is not taken here",
        "backend: \"msk\" needs `msk.source_auth.password`",
        "key.pem holds no PEM certificate",
        "msk.secrets: \"arn:aws:secretsmanager:us-east-2:123456789012:secret:login\" is not the whole ARN",
        "msk.compression: expected one of NONE, GZIP, SNAPPY, LZ4, ZSTD, found \"brotli\"",
        "msk.names.forward: \"a_b\" cannot be a replicator's name",
        "msk.names.reverse: \"-c\" cannot be a replicator's name",
        "msk.logs.cloudwatch: \"arn:aws:logs",
        "msk.tags: the tag \"aws:x\" begins with aws:",
        "replication.start: \"2026-01-31T00:00:00Z\" is not for backend = \"msk\"",
        "replication.two_way: false is not for backend = \"msk\"",
    ] {
        assert!(all.contains(says), "{says}\n{all}");
    }
    assert_eq!(said.len(), 17, "{all}");
}

#[test]
fn what_is_missing_is_named() {
    let text =
        SECURE[..SECURE.find("[msk]").unwrap()].replace("[source.tls]\nca = \"ca.pem\"\n", "");
    let said = faults(&text);
    let all = said.join("\n");
    for says in [
        "3:11: backend: \"msk\" needs `msk.region`",
        "`msk.cluster_arn`",
        "`msk.subnets`",
        "`msk.role_arn`",
        "`msk.source_bootstrap`: MSK Replicator needs a SASL_SSL listener with SCRAM",
    ] {
        assert!(all.contains(says), "{says}\n{all}");
    }
    assert_eq!(said.len(), 5, "{all}");
    let plain = SECURE.replace("scram-sha-256", "plain");
    let said = faults(&plain);
    assert!(
        said[0].contains("`msk.source_auth.mechanism`: MSK Replicator needs"),
        "{said:?}"
    );
    let kind = SECURE.replace(":cluster/m/abc-2", ":replicator/m/abc-2");
    assert!(faults(&kind)[0].contains("names a `replicator`"));
    let other = SECURE.replace("iam::123456789012", "iam::210987654321");
    assert!(faults(&other)[0].contains("of account 210987654321"));
    let same = SECURE.to_owned() + "names = { forward = \"a\", reverse = \"a\" }\n";
    assert!(faults(&same)[0].contains("the name of the other replicator"));
}

#[test]
fn a_system_that_everybody_trusts_is_public() {
    let text = SECURE.replace("ca = \"ca.pem\"\n", "");
    let msk = read(&text).unwrap().msk.unwrap();
    assert!(matches!(msk.source_ca, Authority::Public));
}

#[test]
fn with_our_own_engine_it_says_nothing() {
    let text = SECURE.replace("backend = \"msk\"", "backend = \"embedded\"")
        + "compression = \"brotli\"\n";
    let settings = read(&text).unwrap();
    assert!(settings.msk.is_none() && !settings.two_way);
    assert!(settings.embedded_only("replicate").is_ok());
    assert_eq!(settings.ready.hold, Duration::from_secs(60));
    let unused = settings
        .listing
        .iter()
        .filter(|listed| listed.path.starts_with("msk."));
    assert!(unused.clone().count() == 5 && unused.clone().all(|listed| !listed.used));
    let text = text.replace("[scope]", "[replication]\nstart = \"latest\"\n[scope]");
    let said = faults(&text);
    assert!(
        said[0].contains("is not available in this version"),
        "{said:?}"
    );
}

#[test]
fn without_aws_it_is_refused_by_name() {
    let failure = read_with(SECURE, &Amazon::default()).map(drop).unwrap_err();
    let all = failure.causes.join("\n");
    assert!(
        all.contains("\"msk\" is not available: this build of kafka-migrate has no AWS"),
        "{all}"
    );
    assert!(
        all.contains("target.auth.mechanism: msk-iam is not available"),
        "{all}"
    );
}

#[test]
fn msk_iam_takes_no_password_and_needs_a_region() {
    let text = SECURE
        .replace("backend = \"msk\"", "backend = \"embedded\"")
        .replace(
            "b-1.m.abc.c2.kafka.us-east-1.amazonaws.com",
            "kafka.example.com",
        )
        .replace("region = \"us-east-1\"\n", "")
        .replace("\"msk-iam\"", "\"msk-iam\"\nusername = \"x\"");
    let said = faults(&text);
    assert!(
        said[0].contains("15:13: target.auth.mechanism: msk-iam needs the cluster's region"),
        "{said:?}"
    );
    assert!(
        said[1].contains("target.auth.username: is set, but msk-iam takes none"),
        "{said:?}"
    );
}

#[test]
fn secrets_that_lie_with_amazon_are_wanted_and_then_there() {
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf";
    let text = SECURE.replace(
        "{ file = \"password\" }",
        &format!("{{ secretsmanager = {arn:?}, key = \"password\" }}"),
    );
    let settings = read(&text).unwrap();
    let stored = Stored::new(arn, Some("password".into())).unwrap();
    assert_eq!(settings.wanted, std::slice::from_ref(&stored));
    let mut amazon = amazon();
    amazon.secrets.insert(stored, Secret::new("hunter3"));
    let settings = read_with(&text, &amazon).unwrap();
    assert!(settings.wanted.is_empty());
    assert_eq!(
        settings.msk.unwrap().source_login.password.reveal(),
        "hunter3"
    );
    let text = text.replace(arn, "a-name");
    assert!(faults(&text)[0].contains("is no ARN of a secret"));
}
