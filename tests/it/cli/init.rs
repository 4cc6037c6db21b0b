//! `init` without a cluster: what is refused, before anything is looked at, and that nothing is written then.

use std::fs;

use insta::assert_snapshot;

use super::{Place, nobody};

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let place = Place::empty();
    assert_snapshot!(place.transcript(&["init"]), @r#"
    ── stderr
    error[K013]: 2 errors in the settings, read from the command line
       the command line: `source.bootstrap` is missing; give --source (servers to ask first, host:port), or set KAFKA_MIGRATE_SOURCE_BOOTSTRAP
       the command line: `target.bootstrap` is missing; give --target (servers to ask first, host:port), or set KAFKA_MIGRATE_TARGET_BOOTSTRAP
    next: kafka-migrate init --help      exit 2 (usage)
    ── exit 2
    "#);
    let many = [
        "init",
        "--source",
        "a",
        "--target",
        "b:1",
        "--name",
        "X",
        "--source-mechanism",
        "plain",
        "--target-mechanism",
        "foo",
        "--target-ca",
        "none.pem",
    ];
    assert_snapshot!(place.transcript(&many), @r#"
    ── stderr
    error[K002]: 6 errors in the settings, read from the command line
       --name: name: "X" is no name: lower-case letters, digits and hyphens, at most 40, beginning with a letter or digit; it says: the migration's name; its topics on the target carry it
       --source: source.bootstrap: expected "host:port", found "a"; it says: servers to ask first, host:port
       --target-mechanism: target.auth.mechanism: expected one of "none", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "msk-iam", "mtls", found "foo"; it says: how to log in
       --source-mechanism: source.auth.mechanism: plain needs `source.auth.username`; or set KAFKA_MIGRATE_SOURCE_AUTH_USERNAME
       --source-mechanism: source.auth.mechanism: plain needs `source.auth.password`; or set KAFKA_MIGRATE_SOURCE_AUTH_PASSWORD
       --target-ca: target.tls.ca: none.pem cannot be read: no such file; relative files start beside the migration file
    next: kafka-migrate init --help      exit 2 (usage)
    ── exit 2
    "#);
    assert!(!place.path().join("migration.toml").exists());
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let place = Place::with("mine");
    assert_snapshot!(place.transcript(&["init", "--source", "a:1", "--target", "b:1"]), @r"
    ── stderr
    error[K018]: migration.toml: stands there already, and is never overwritten
    hint: name another file with --config FILE, or move this one away
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    ");
    assert_snapshot!(place.transcript(&["--json", "-c", "no/where.toml", "init", "--source", "a:1", "--target", "b:1"]), @r#"
    ── stdout
    {"v":1,"at":"DATE","migration":null,"event":"failed","exit":2,"exit_name":"usage","code":"K019","message":"no/where.toml: cannot be written: its directory is not there","causes":[],"hints":["make the directory first"],"next":"kafka-migrate -c no/where.toml init --help"}
    ── exit 2
    "#);
    let now = fs::read_to_string(place.path().join("migration.toml")).expect("it is there");
    assert_eq!(now, "mine");
}

#[test]
fn a_source_that_cannot_be_reached_leaves_no_file() {
    let place = Place::empty();
    let (_held, nowhere) = nobody();
    let finished = place.run(&["init", "--source", &nowhere, "--target", "b:1"]);
    finished.assert_exit(4);
    finished.assert_says("error[K101]");
    assert!(!place.path().join("migration.toml").exists());
}

#[test]
fn a_password_is_taken_by_reference_only_and_never_said() {
    let place = Place::empty();
    let (_held, nowhere) = nobody();
    fs::write(place.path().join("pw"), "Pl4nted-P4ssword")
        .expect("the scratch directory is writable");
    for end in [&[][..], &["--json"], &["-vv"]] {
        let mut arguments = vec![
            "init",
            "--source",
            &*nowhere,
            "--source-mechanism",
            "plain",
            "--source-username",
            "app",
            "--source-password-file",
            "pw",
            "--target",
            "b:1",
            "--target-mechanism",
            "plain",
            "--target-username",
            "app",
            "--target-password-env",
            "PASSWORD_OF_TARGET",
        ];
        arguments.extend(end);
        let call = place
            .command(&arguments)
            .env("PASSWORD_OF_TARGET", "Pl4nted-P4ssword");
        let finished = call.finish();
        finished.assert_exit(4);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains("Pl4nted"), "{finished}");
    }
    // The flag that would take it does not exist.
    place
        .run(&["init", "--source-password", "Pl4nted-P4ssword"])
        .assert_exit(2);
}
