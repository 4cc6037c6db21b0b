//! Files that are wrong: every fault at once, with its place, what to do, and exit code 2.

use insta::assert_snapshot;

use super::{Place, file};

/// The transcript of `config` with a file in which `from` became `to`; every other command says the same.
#[track_caller]
fn with(from: &str, to: &str) -> String {
    let text = file("kafka1:9092", "kafka2:9092");
    assert!(text.contains(from), "no {from:?} in {text}");
    let place = Place::with(&text.replacen(from, to, 1));
    let said = place.transcript(&["config"]);
    for command in ["replicate", "status", "verify"] {
        assert_eq!(place.transcript(&[command]), said, "{command}");
    }
    said
}

#[test]
fn a_missing_file() {
    assert_snapshot!(Place::empty().transcript(&["replicate"]), @r#"
    ── stderr
    error[K001]: migration.toml cannot be read: no such file
    hint: write one with `kafka-migrate init`, or name yours with --config FILE
    next: kafka-migrate --config FILE config      exit 2 (usage)
    ── exit 2
    "#);
    assert_snapshot!(Place::empty().transcript(&["-c", "no/such file.toml", "status"]), @r#"
    ── stderr
    error[K001]: no/such file.toml cannot be read: no such file
    hint: write one with `kafka-migrate init`, or name yours with --config FILE
    next: kafka-migrate --config FILE config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_file_that_is_not_toml() {
    assert_snapshot!(with("name = \"orders\"", "name = orders"), @r#"
    ── stderr
    error[K003]: migration.toml:2:8: string values must be quoted, expected literal string
    hint: in TOML text stands in quotes, a list in brackets, and a table begins with [its name]
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_snapshot!(with("topics = ", "topisc = [\"a\"]\ntopics = "), @r#"
    ── stderr
    error[K010]: migration.toml:13:1: unknown key `topisc` in [scope]
    hint: the nearest known key is `topics`
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_wrong_type() {
    assert_snapshot!(with("topics = [\"orders\"]", "topics = 7"), @r#"
    ── stderr
    error[K011]: migration.toml:13:10: scope.topics: expected a list of names or globs, found a number
    hint: it says: topics to copy, by name or glob
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_value_out_of_range() {
    assert_snapshot!(with("[scope]", "[replication]\nshards = 65\n\n[scope]"), @r#"
    ── stderr
    error[K012]: migration.toml:13:10: replication.shards: expected a number from 1 to 64, found 65
    hint: it says: ledger partitions; fixed at first start
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_missing_value() {
    assert_snapshot!(with("name = \"orders\"\n", ""), @r#"
    ── stderr
    error[K013]: migration.toml: `name` is missing
    hint: write it (the migration's name; its topics on the target carry it), or set KAFKA_MIGRATE_NAME
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_newer_file() {
    assert_snapshot!(with("version = 1", "version = 2"), @r#"
    ── stderr
    error[K012]: migration.toml:1:11: version: version 2 is newer than this kafka-migrate, which reads version 1
    hint: it says: the version of this file's format
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn something_that_this_version_cannot_do() {
    assert_snapshot!(with("[scope]", "[replication]\nstart = \"latest\"\n\n[scope]"), @r#"
    ── stderr
    error[K016]: migration.toml:13:9: replication.start = "latest" is not available in this version
    hint: leave it out, or write earliest
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn topics_that_are_named_and_never_copied() {
    assert_snapshot!(with("topics = [\"orders\"]", "topics = [\"orders\", \"__consumer_offsets\"]\nexclude_topics = [\"ord*\"]"), @r#"
    ── stderr
    error[K012]: 2 errors in the settings, read from migration.toml
       migration.toml:13:10: scope.topics: "orders" is named here, and excluded by scope.exclude_topics; take it out of one of the two
       migration.toml:13:10: scope.topics: "__consumer_offsets" is never copied; it belongs to the brokers or to another tool: leave it out
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_certificate_file_that_is_missing() {
    assert_snapshot!(with("[target]", "[source.tls]\nca = \"ca.pem\"\n\n[target]"), @r#"
    ── stderr
    error[K015]: migration.toml:9:6: source.tls.ca: ca.pem cannot be read: no such file
    hint: relative files start beside the migration file
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_secret_that_is_missing_or_written_out() {
    assert_snapshot!(with(
        "[target]",
        "[source.auth]\nmechanism = \"plain\"\nusername = \"app\"\npassword = { file = \"no.password\" }\n\n[target]",
    ), @r#"
    ── stderr
    error[K015]: migration.toml:11:12: source.auth.password: no.password cannot be read: no such file
    hint: relative files start beside the migration file
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
    let said = with(
        "[target]",
        "[source.auth]\nmechanism = \"plain\"\nusername = \"app\"\npassword = \"hunter2\"\n\n[target]",
    );
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(said, @r#"
    ── stderr
    error[K014]: migration.toml:11:12: source.auth.password: a secret is never written into the file itself
    hint: write { file = "…" } or { env = "…" } in its place
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn several_faults_at_once() {
    let text = "nmae = \"orders\"\nversion = 1\n\n[source]\nbootstrap = [\"kafka1\"]\n\n[scope]\ntopics = []\n";
    let place = Place::with(text);
    assert_snapshot!(place.transcript(&["verify"]), @r#"
    ── stderr
    error[K002]: 5 errors in the settings, read from migration.toml
       migration.toml:1:1: unknown key `nmae`; the nearest known key is `name`
       migration.toml:5:13: source.bootstrap: expected "host:port", found "kafka1"; it says: servers to ask first, host:port
       migration.toml:8:10: scope.topics: names no topic; "*" takes them all
       migration.toml: `name` is missing; write it (the migration's name; its topics on the target carry it), or set KAFKA_MIGRATE_NAME
       migration.toml: `target.bootstrap` is missing; write it (servers to ask first, host:port), or set KAFKA_MIGRATE_TARGET_BOOTSTRAP
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
    let finished = place.run(&["--json", "verify"]);
    finished.assert_exit(2);
    let failed: serde_json::Value =
        serde_json::from_str(&finished.stdout).expect("one line of JSON");
    assert_eq!(failed["event"], "failed");
    assert_eq!(failed["exit_name"], "usage");
    assert_eq!(
        failed["causes"].as_array().map(Vec::len),
        Some(5),
        "{failed}"
    );
}

#[test]
fn a_flag_is_checked_like_the_file() {
    let place = Place::with(&file("kafka1:9092", "kafka2:9092"));
    assert_snapshot!(place.transcript(&["replicate", "--rate", "fast"]), @r#"
    ── stderr
    error[K012]: --rate: replication.rate: expected a rate such as "200MB" (per second), or "unlimited", found "fast"
    hint: it says: bytes per second, as stored on the source
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}
