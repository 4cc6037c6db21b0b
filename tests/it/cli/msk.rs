//! `backend = "msk"` on the command line, and secrets that lie in Secrets Manager: what is shown, what is refused, what is asked.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use insta::assert_snapshot;

use super::{Place, file, nobody, transcript};
use crate::support::{
    secret,
    tool::{Call, Finished},
};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf";
const PLANTED: &str = "Pl4nted/P4ss+w?rd";

/// A migration by MSK Replicator; the certificate is one of nobody.
fn place(source: &str) -> Place {
    let text = format!(
        "version = 1\nname = \"orders\"\nbackend = \"msk\"\n[source]\nbootstrap = [{source:?}]\n\
         [target]\nbootstrap = [\"b-1.m.abc.c2.kafka.us-east-1.amazonaws.com:9098\"]\n[target.auth]\nmechanism = \"msk-iam\"\n\
         [scope]\ntopics = [\"*\"]\n[msk]\nregion = \"us-east-1\"\n\
         cluster_arn = \"arn:aws:kafka:us-east-1:123456789012:cluster/m/abc-2\"\nsubnets = [\"subnet-1\", \"subnet-2\"]\n\
         role_arn = \"arn:aws:iam::123456789012:role/Replicator\"\nsource_bootstrap = [\"kafka1:9096\"]\nsource_ca = \"public\"\n\
         [msk.source_auth]\nmechanism = \"scram-sha-512\"\nusername = \"replicator\"\npassword = {{ file = \"replicator.password\" }}\n"
    );
    let place = Place::with(&text);
    fs::write(place.path().join("replicator.password"), PLANTED)
        .expect("the scratch directory is writable");
    place
}

#[test]
fn its_settings_are_shown_with_what_follows_from_others() {
    let place = place("kafka1:9092");
    assert_snapshot!(place.transcript(&["config"]), @r#"
    ── stdout
    setting                    value                                                 from
    version                    1                                                     migration.toml:1
    name                       orders                                                migration.toml:2
    backend                    msk                                                   migration.toml:3
    source.bootstrap           kafka1:9092                                           migration.toml:5
    source.auth.mechanism      none                                                  default
    source.connect_timeout     10s                                                   default
    source.request_timeout     30s                                                   default
    target.bootstrap           b-1.m.abc.c2.kafka.us-east-1.amazonaws.com:9098       migration.toml:7
    target.auth.mechanism      msk-iam                                               migration.toml:9
    target.connect_timeout     10s                                                   default
    target.request_timeout     30s                                                   default
    scope.topics               *                                                     migration.toml:11
    replication.two_way        true                                                  default
    replication.start          earliest                                              default
    replication.rate           unlimited                                             default
    replication.shards         8                                                     default
    replication.memory         32MiB                                                 default
    ready.message_lag          1000                                                  default
    ready.replication_latency  1m 30s                                                default
    ready.offset_lag           1000                                                  default
    ready.hold                 5m                                                    default
    msk.region                 us-east-1                                             migration.toml:13
    msk.cluster_arn            arn:aws:kafka:us-east-1:123456789012:cluster/m/abc-2  migration.toml:14
    msk.subnets                subnet-1, subnet-2                                    migration.toml:15
    msk.role_arn               arn:aws:iam::123456789012:role/Replicator             migration.toml:16
    msk.source_bootstrap       kafka1:9096                                           migration.toml:17
    msk.source_auth.mechanism  scram-sha-512                                         migration.toml:20
    msk.source_auth.username   replicator                                            migration.toml:21
    msk.source_auth.password   *** (file replicator.password)                        migration.toml:22
    msk.source_ca              public                                                migration.toml:18
    msk.secrets                one                                                   default
    msk.compression            LZ4                                                   default
    msk.names.forward          orders-forward                                        default
    msk.names.reverse          orders-reverse                                        default
    msk.ask                    15s                                                   default
    msk.patience               1h 30m                                                default
    state                      .kafka-migrate/orders                                 default
    ── exit 0
    "#);
}

#[test]
fn what_is_wrong_with_it_is_told_at_once() {
    let place = place("kafka1:9092");
    let path = place.path().join("migration.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    let wrong = text
        .replace("cluster/m", "replicator/m")
        .replace("\"subnet-1\", ", "")
        .replace("source_ca = \"public\"\n", "");
    fs::write(&path, wrong).expect("the scratch directory is writable");
    assert_snapshot!(place.transcript(&["config"]), @r#"
    ── stderr
    error[K002]: 3 errors in the settings, read from migration.toml
       migration.toml:3:11: backend: "msk" needs `msk.source_ca`; write it (PEM file of the authorities, or "public"; as source.tls when left out), or set KAFKA_MIGRATE_MSK_SOURCE_CA
       migration.toml:14:15: msk.cluster_arn: "arn:aws:kafka:us-east-1:123456789012:replicator/m/abc-2" names a `replicator`; it takes that of a cluster, an ARN such as arn:aws:kafka:us-east-1:123456789012:cluster/NAME/UUID; `aws kafka list-clusters-v2` shows it
       migration.toml:15:11: msk.subnets: MSK Replicator takes 2 to 3, and here are 1; they are of the VPC that reaches both clusters
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

/// The commands that copy or ask what our own engine does. One that learns to work with MSK Replicator leaves this list.
const EMBEDDED_ONLY: [&[&str]; 3] = [&["pause"], &["resume"], &["throttle", "1MB"]];

#[test]
fn commands_that_cannot_do_it_yet_say_so_by_name() {
    let place = place("kafka1:9092");
    for command in EMBEDDED_ONLY {
        let finished = place.run(command);
        finished.assert_exit(2);
        finished.assert_says(&format!(
            "error[K016]: `{}` is not available with backend = \"msk\"",
            command[0]
        ));
    }
}

#[test]
fn the_replicators_password_never_comes_out() {
    let (_held, nowhere) = nobody();
    let place = place(&nowhere);
    let path = place.path().join("migration.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    let literal = format!("{PLANTED:?}");
    for password in [
        "{ file = \"replicator.password\" }",
        &*literal,
        "{ text = \"Pl4nted/P4ss+w?rd\" }",
        "{ secretsmanager = \"Pl4nted/P4ss+w?rd\", key = 7 }",
    ] {
        let text = text.replace("{ file = \"replicator.password\" }", password);
        fs::write(&path, text).expect("the scratch directory is writable");
        for command in EMBEDDED_ONLY.into_iter().chain([
            &["config"][..],
            &["preflight"],
            &["plan", "replicate"],
            &["replicate"],
            &["verify"],
        ]) {
            for flag in ["--json", "-vv"] {
                let arguments = [&[flag], command].concat();
                let finished = without_aws(place.command(&arguments)).finish();
                secret::assert_nowhere(PLANTED, &finished.line, finished.stdout.as_bytes());
                secret::assert_nowhere(PLANTED, &finished.line, finished.stderr.as_bytes());
            }
        }
    }
}

/// Nothing of AWS's is around, whoever runs the test.
fn without_aws(mut call: Call) -> Call {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            call.0.env_remove(name);
        }
    }
    call.env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "nowhere")
        .env("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
}

/// A service that gives one answer to whatever it is asked, and remembers the questions.
struct Service {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

fn service(status: &'static str, body: String) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = heard.clone();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(&socket);
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
                let line = head.lines().last().unwrap_or_default().to_lowercase();
                if let Some(said) = line.strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap_or(0);
                }
            }
            let mut asked = vec![0; length];
            if reader.read_exact(&mut asked).is_err() {
                continue;
            }
            into.lock()
                .expect("nobody panics with this lock")
                .push(head + &String::from_utf8_lossy(&asked));
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: r-1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            drop((&socket).write_all(answer.as_bytes()));
        }
    });
    Service { address, heard }
}

/// A migration whose password for the source lies in Secrets Manager, under a key.
fn referring(source: &str) -> Place {
    let auth = format!(
        "[source.auth]\nmechanism = \"plain\"\nusername = \"app\"\npassword = {{ secretsmanager = {ARN:?}, key = \"password\" }}\n\n[target]"
    );
    let (_held, nowhere) = nobody();
    Place::with(&file(source, &nowhere).replace("[target]", &auth))
}

fn asking(place: &Place, service: &Service, arguments: &[&str]) -> Finished {
    without_aws(place.command(arguments))
        .env("AWS_ENDPOINT_URL", &service.address)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        )
        .finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_secrets_manager_is_fetched_and_used() {
    use crate::hostile::broker::{AUTHENTICATE, Broker, Reply};
    let broker = Broker::start(None, |heard| {
        if heard.key == AUTHENTICATE {
            Reply::Body(b"\0\0\x3a\x06wrong\x01\0\0\0\0\0\0\0\0\0".to_vec())
        } else {
            Reply::Honest
        }
    })
    .await;
    let said = serde_json::json!({ "user": "app", "password": PLANTED }).to_string();
    let answer = serde_json::json!({ "ARN": ARN, "SecretString": said }).to_string();
    let service = service("200 OK", answer);
    let place = referring(&format!("127.0.0.1:{}", broker.port));
    let finished = asking(&place, &service, &["-vv", "status"]);
    finished.assert_exit(4);
    finished.assert_says("error[K104]");
    secret::assert_nowhere(PLANTED, &finished.line, finished.stderr.as_bytes());
    assert!(broker.count(AUTHENTICATE) > 0, "the password was used");
    let heard = service
        .heard
        .lock()
        .expect("nobody panics with this lock")
        .join("\n");
    assert!(
        heard.contains("secretsmanager.GetSecretValue") && heard.contains(ARN),
        "{heard}"
    );
    assert!(
        heard.to_lowercase().contains("app/kafka-migrate"),
        "{heard}"
    );
    // What is only shown needs nothing fetched.
    let before = service
        .heard
        .lock()
        .expect("nobody panics with this lock")
        .len();
    let finished = asking(&place, &service, &["config"]);
    finished.assert_exit(0);
    assert!(
        finished
            .stdout
            .contains(&format!("*** (password of secret {ARN})")),
        "{finished}"
    );
    let after = service
        .heard
        .lock()
        .expect("nobody panics with this lock")
        .len();
    assert_eq!(before, after);
}

#[test]
fn a_secret_that_cannot_be_had_says_why() {
    let (_held, nowhere) = nobody();
    let place = referring(&nowhere);
    let denied = serde_json::json!({
        "__type": "AccessDeniedException",
        "Message": format!("User: arn:aws:iam::123456789012:user/ana is not authorized to perform: secretsmanager:GetSecretValue on resource: {ARN} because no identity-based policy allows the secretsmanager:GetSecretValue action"),
    });
    let service_ = service("400 Bad Request", denied.to_string());
    let finished = asking(&place, &service_, &["status"]);
    finished.assert_exit(6);
    assert_snapshot!(transcript(&finished), @r#"
    ── stderr
    error[K303]: arn:aws:iam::123456789012:user/ana may not secretsmanager:GetSecretValue of arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf
       AccessDeniedException: User: arn:aws:iam::123456789012:user/ana is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf because no identity-based policy allows the secretsmanager:GetSecretValue action (HTTP 400, request r-1)
    hint: have this statement added to what they may: {"Action":"secretsmanager:GetSecretValue","Effect":"Allow","Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:login-AbCdEf"}
    next: aws sts get-caller-identity      exit 6 (aws)
    ── exit 6
    "#);
    let gone = serde_json::json!({ "__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find the specified secret." });
    let finished = asking(
        &place,
        &service("400 Bad Request", gone.to_string()),
        &["status"],
    );
    finished.assert_says("error[K305]: Secrets Manager knows no arn:aws:secretsmanager:");
    let other = serde_json::json!({ "ARN": ARN, "SecretString": "{\"pass\": \"hunter2\"}" });
    let finished = asking(&place, &service("200 OK", other.to_string()), &["status"]);
    finished.assert_exit(2);
    finished.assert_says("has no key \"password\"");
    assert!(!finished.stderr.contains("hunter2"), "{finished}");
    let finished = without_aws(place.command(&["status"]))
        .env("AWS_ENDPOINT_URL", &service_.address)
        .finish();
    finished.assert_exit(6);
    finished.assert_says("error[K300]: no AWS credentials were found");
}
