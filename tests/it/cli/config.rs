//! The command `config`.

use std::fs;

use insta::assert_snapshot;

use super::{Place, file, transcript};

#[test]
fn settings_are_shown_with_their_origin() {
    let place = Place::with(&file("kafka1:9092", "kafka2:9092"));
    let call = place
        .command(&["config"])
        .env("KAFKA_MIGRATE_REPLICATION_RATE", "50MB");
    assert_snapshot!(transcript(&call.finish()), @r#"
    ── stdout
    setting                    value                  from
    version                    1                      migration.toml:1
    name                       orders                 migration.toml:2
    backend                    embedded               default
    source.bootstrap           kafka1:9092            migration.toml:5
    source.auth.mechanism      none                   default
    source.connect_timeout     5s                     migration.toml:6
    source.request_timeout     30s                    default
    target.bootstrap           kafka2:9092            migration.toml:9
    target.auth.mechanism      none                   default
    target.connect_timeout     5s                     migration.toml:10
    target.request_timeout     30s                    default
    scope.topics               orders                 migration.toml:13
    replication.two_way        false                  default
    replication.start          earliest               default
    replication.rate           50MB                   KAFKA_MIGRATE_REPLICATION_RATE
    replication.shards         8                      default
    replication.memory         32MiB                  default
    ready.message_lag          1000                   default
    ready.replication_latency  1m 30s                 default
    ready.offset_lag           1000                   default
    ready.hold                 1m                     default
    state                      .kafka-migrate/orders  default
    ── exit 0
    "#);
}

#[test]
fn settings_are_a_document_for_programs() {
    let place = Place::with(&file("kafka1:9092", "kafka2:9092"));
    let finished = place.run(&["config", "--json"]);
    finished.assert_exit(0);
    let document: serde_json::Value =
        serde_json::from_str(&finished.stdout).expect("it is one JSON document");
    assert_eq!(document["v"], 1);
    assert_eq!(document["migration"], "orders");
    let scope = document["settings"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["path"] == "scope.topics"))
        .expect("the scope is listed");
    assert_eq!(scope["value"], "orders");
    assert_eq!(scope["origin"]["from"], "file");
}

#[test]
fn the_template_is_a_valid_file() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/migration.toml");
    let place = Place::with(&fs::read_to_string(template).expect("the template is there"));
    place.run(&["config"]).assert_exit(0);
}

#[test]
fn what_is_worth_saying_is_said() {
    let text = file("kafka1:9092", "kafka2:9092").replace(
        "[target]",
        "[source.auth]\nmechanism = \"plain\"\nusername = \"app\"\npassword = { env = \"PASSWORD_OF_APP\" }\n\n[target]",
    );
    let place = Place::with(&text);
    let finished = place
        .command(&["config"])
        .env("PASSWORD_OF_APP", "not to be shown")
        .env("KAFKA_MIGRATE_REPLICATION_RAET", "1MB")
        .finish();
    finished.assert_exit(0);
    assert_snapshot!(finished.stderr, @r#"
    note: the source's password travels unencrypted: PLAIN without [source.tls]
    note: the variable KAFKA_MIGRATE_REPLICATION_RAET is not read; the nearest is KAFKA_MIGRATE_REPLICATION_RATE
    "#);
}
