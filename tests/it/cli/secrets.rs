//! A password never comes out, whatever a command says and however it ends.

use std::fs;

use super::{Place, file, nobody};
use crate::{
    hostile::broker::{AUTHENTICATE, Broker, Reply},
    support::secret,
};

/// Looks otherwise wherever it is coded: as base64, in a URL, quoted.
const PLANTED: &str = "Pl4nted/P4ss+w?rd";

/// The planted password by file for the source, by variable for the target.
fn place(source: &str, target: &str) -> Place {
    let auth = |side: &str, mechanism: &str, password: &str| {
        format!(
            "[{side}.auth]\nmechanism = {mechanism:?}\nusername = \"app\"\npassword = {password}\n\n"
        )
    };
    let text = file(source, target)
        .replace(
            "[target]",
            &(auth("source", "plain", "{ file = \"source.password\" }") + "[target]"),
        )
        .replace(
            "[scope]",
            &(auth(
                "target",
                "scram-sha-512",
                "{ env = \"PASSWORD_OF_TARGET\" }",
            ) + "[scope]"),
        );
    let place = Place::with(&text);
    fs::write(place.path().join("source.password"), PLANTED)
        .expect("the scratch directory is writable");
    place
}

/// Runs everything that could print it, in text and JSON, as loudly as possible; how many commands ended with which code.
fn assert_silent(place: &Place, code: impl Fn(&str) -> i32) {
    for command in [
        &["config"][..],
        &["preflight"],
        &["plan", "replicate"],
        &["replicate"],
        &["pause"],
        &["throttle", "1MB"],
        &["status"],
        &["status", "--watch"],
        &["ready", "--waive", "G212=why not"],
        &["verify"],
    ] {
        for flags in [&[][..], &["--json"], &["-vv"], &["-q"]] {
            let arguments = [flags, command].concat();
            let command = command[0];
            let finished = place
                .command(&arguments)
                .env("PASSWORD_OF_TARGET", PLANTED)
                .finish();
            finished.assert_exit(code(command));
            secret::assert_nowhere(PLANTED, &finished.line, finished.stdout.as_bytes());
            secret::assert_nowhere(PLANTED, &finished.line, finished.stderr.as_bytes());
        }
    }
}

#[test]
fn of_sides_that_cannot_be_reached() {
    let (_held, nowhere) = nobody();
    assert_silent(&place(&nowhere, &nowhere), |command| match command {
        "config" => 0,
        "preflight" | "ready" => 3,
        // Of the target alone something is asked.
        "pause" | "throttle" => 5,
        _ => 4,
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_logins_that_are_refused() {
    let refuse = |heard: &crate::hostile::broker::Heard| {
        if heard.key == AUTHENTICATE {
            Reply::Body(b"\0\0\x3a\x06wrong\x01\0\0\0\0\0\0\0\0\0".to_vec())
        } else {
            Reply::Honest
        }
    };
    let source = Broker::start(None, refuse).await;
    let target = Broker::start(None, refuse).await;
    let address = |broker: &Broker| format!("127.0.0.1:{}", broker.port);
    let place = place(&address(&source), &address(&target));
    assert_silent(&place, |command| match command {
        "config" => 0,
        "preflight" | "ready" => 3,
        // Of the target alone something is asked.
        "pause" | "throttle" => 5,
        _ => 4,
    });
    assert!(source.count(AUTHENTICATE) > 0, "the password was used");
}

#[test]
fn of_files_that_are_wrong() {
    let (_held, nowhere) = nobody();
    let place = place(&nowhere, &nowhere);
    let path = place.path().join("migration.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    // Written out, in a key that does not exist, as the wrong type, and behind broken TOML.
    for (from, to) in [
        (
            "password = { file = \"source.password\" }",
            format!("password = \"{PLANTED}\""),
        ),
        (
            "password = { file = \"source.password\" }",
            format!("passwort = \"{PLANTED}\""),
        ),
        (
            "password = { file = \"source.password\" }",
            format!("password = {{ text = \"{PLANTED}\" }}"),
        ),
        (
            "password = { file = \"source.password\" }",
            format!("password = [\"{PLANTED}\"]"),
        ),
        (
            "password = { file = \"source.password\" }",
            format!("password = \"{PLANTED}"),
        ),
        (
            "password = { file = \"source.password\" }",
            format!("password = {PLANTED}"),
        ),
    ] {
        fs::write(&path, text.replacen(from, &to, 1)).expect("the scratch directory is writable");
        assert_silent(&place, |_| 2);
    }
}

#[test]
fn what_is_looked_for_is_found_where_it_is() {
    // What PLAIN sends, in all that could become of it: the test itself would see it.
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let forms = secret::forms(PLANTED);
    let found = |text: &str| forms.iter().any(|form| text.contains(form));
    for before in ["", "a", "ab", "\0app\0"] {
        let coded = STANDARD.encode(format!("{before}{PLANTED}"));
        assert!(found(&coded), "{coded}");
    }
    assert!(found("https://app:Pl4nted%2FP4ss%2Bw%3Frd@kafka1"));
    assert!(found(&format!("password: {PLANTED}\n")));
    assert!(!found("Pl4nted"));
}
