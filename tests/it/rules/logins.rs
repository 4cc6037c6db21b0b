//! Logging in: mechanisms, tokens in and out of turn, what is heard before and after.

use kafka_protocol::messages::*;

use super::{Rule, World, code, codes::*, is, line::*, password};

pub const RULES: &[Rule] = &[
    ("SaslHandshake: mechanisms that are offered", mechanisms),
    (
        "SaslHandshake: one that is not offered ends the connection",
        unknown,
    ),
    (
        "PLAIN: who is let in, and what is told to who is not",
        plain,
    ),
    (
        "ApiVersions: a client gives its name, and asks once before a login",
        asked_versions,
    ),
    ("logins: nothing is heard before", before),
    ("logins: requests out of turn", out_of_turn),
    ("PLAIN: a bare token after SaslHandshake v0", bare),
];

pub fn shake(line: &mut Line, version: i16, mechanism: &str) -> SaslHandshakeResponse {
    let request = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    line.ask(version, &request)
}

pub fn token(bytes: &[u8]) -> SaslAuthenticateRequest {
    SaslAuthenticateRequest::default().with_auth_bytes(bytes.to_vec().into())
}

/// A token that comes after a handshake: the code, what is told and the broker's own token.
pub fn said(line: &mut Line, bytes: &[u8]) -> (String, Option<String>, Vec<u8>) {
    let Ok(answer) = line.try_ask(2, &token(bytes)) else {
        return ("closed".to_owned(), None, vec![]);
    };
    let told = answer.error_message.filter(|told| !told.is_empty());
    let told = told.map(|told| told.to_string());
    (name(answer.error_code), told, answer.auth_bytes.to_vec())
}

/// ApiVersions of a client that gives its name.
pub fn versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(text("rules"))
        .with_client_software_version(text("1"))
}

pub fn is_heard(line: &mut Line) -> bool {
    line.try_ask(5, &ListGroupsRequest::default()).is_ok()
}

pub fn is_closed(line: &mut Line) -> bool {
    line.receive_frame().is_err()
}

fn mechanisms(world: &World) {
    for version in [0, 1] {
        let answer = shake(&mut Line::silent(world), version, "PLAIN");
        code("agreed", answer.error_code, NONE);
        let mut offered: Vec<String> = answer.mechanisms.iter().map(ToString::to_string).collect();
        offered.sort();
        is(
            "offered",
            offered,
            ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
                .map(String::from)
                .to_vec(),
        );
    }
}

fn unknown(world: &World) {
    for mechanism in ["GSSAPI", "plain", ""] {
        let mut line = Line::silent(world);
        let answer = shake(&mut line, 1, mechanism);
        code(mechanism, answer.error_code, UNSUPPORTED_SASL_MECHANISM);
        is("what there is", answer.mechanisms.len(), 3);
        is("closed", is_closed(&mut line), true);
    }
}

fn plain(world: &World) {
    let who = world.user();
    let secret = password(&who);
    let attempt = |what: &str, sent: String, told: Option<&str>| {
        let mut line = Line::silent(world);
        code(what, shake(&mut line, 1, "PLAIN").error_code, NONE);
        let expected = told.map_or(NONE, |_| SASL_AUTHENTICATION_FAILED);
        let seen = said(&mut line, sent.as_bytes());
        is(
            what,
            seen,
            (name(expected), told.map(str::to_owned), vec![]),
        );
        let in_ = told.is_none();
        is(
            what,
            if in_ {
                is_heard(&mut line)
            } else {
                !is_closed(&mut line)
            },
            in_,
        );
    };
    attempt("let in", format!("\0{who}\0{secret}"), None);
    attempt("as oneself", format!("{who}\0{who}\0{secret}"), None);
    let wrong = "Authentication failed: Invalid username or password";
    attempt("wrong password", format!("\0{who}\0{secret}x"), Some(wrong));
    attempt("nobody", format!("\0nobody\0{secret}"), Some(wrong));
    let none = "Authentication failed: username not specified";
    attempt("no name", format!("\0\0{secret}"), Some(none));
    let none = "Authentication failed: password not specified";
    attempt("no password", format!("\0{who}\0"), Some(none));
    let other = "Authentication failed: Client requested an authorization id that is different from username";
    attempt("as another", format!("admin\0{who}\0{secret}"), Some(other));
    let two = "Invalid SASL/PLAIN response: expected 3 tokens, got 2";
    attempt("two parts", format!("{who}\0{secret}"), Some(two));
    let four = "Invalid SASL/PLAIN response: expected 3 tokens, got 4";
    attempt("four parts", format!("\0{who}\0{secret}\0"), Some(four));
}

fn before(world: &World) {
    let mut line = Line::silent(world);
    is("at first", is_heard(&mut line), false);
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut line = Line::silent(world);
        shake(&mut line, 1, mechanism);
        let answer = line.ask(4, &ListGroupsRequest::default());
        code("half way", answer.error_code, ILLEGAL_SASL_STATE);
        is("closed", is_closed(&mut line), true);
        let mut line = Line::silent(world);
        shake(&mut line, 1, mechanism);
        let answer = line.ask(3, &versions());
        code("versions half way", answer.error_code, ILLEGAL_SASL_STATE);
        is("closed", is_closed(&mut line), true);
    }
}

fn asked_versions(world: &World) {
    let mut line = Line::silent(world);
    let nameless = line.ask(3, &ApiVersionsRequest::default());
    code("without a name", nameless.error_code, INVALID_REQUEST);
    for (name, good) in [
        ("a b", false),
        ("-a", false),
        ("a.", false),
        ("a.b-c", true),
    ] {
        let mut line = Line::silent(world);
        let answer = line.ask(3, &versions().with_client_software_name(text(name)));
        let expected = if good { NONE } else { INVALID_REQUEST };
        code(name, answer.error_code, expected);
    }
    code("with a name", line.ask(3, &versions()).error_code, NONE);
    is("again", line.try_ask(3, &versions()).is_err(), true);
    let mut line = Line::silent(world);
    code("with a name", line.ask(3, &versions()).error_code, NONE);
    code("and then", shake(&mut line, 1, "PLAIN").error_code, NONE);
    let mut line = Line::to(world);
    for _ in 0..2 {
        code("later", line.ask(3, &versions()).error_code, NONE);
    }
}

fn out_of_turn(world: &World) {
    let who = world.user();
    let good = format!("\0{who}\0{}", password(&who));
    let mut line = Line::silent(world);
    let (seen, ..) = said(&mut line, good.as_bytes());
    is("a token first", &*seen, "closed");
    let mut line = Line::silent(world);
    shake(&mut line, 1, "PLAIN");
    let again = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    let again = line.try_ask(1, &again).map(|answer| answer.error_code);
    is("a handshake again", again.ok(), Some(ILLEGAL_SASL_STATE));
    is("closed", is_closed(&mut line), true);
    let mut line = Line::of(world, &who);
    code(
        "a handshake later",
        shake(&mut line, 1, "PLAIN").error_code,
        ILLEGAL_SASL_STATE,
    );
    is("goes on", is_heard(&mut line), true);
    let (seen, told, _) = said(&mut line, good.as_bytes());
    let late = "SaslAuthenticate request received after successful authentication";
    is(
        "a token later",
        (seen, told.as_deref()),
        (name(ILLEGAL_SASL_STATE), Some(late)),
    );
    is("goes on", is_heard(&mut line), true);
}

fn bare(world: &World) {
    let who = world.user();
    for (secret, right) in [(password(&who), true), ("wrong".to_owned(), false)] {
        let mut line = Line::silent(world);
        code("agreed", shake(&mut line, 0, "PLAIN").error_code, NONE);
        line.send_frame(format!("\0{who}\0{secret}").as_bytes())
            .expect("sent");
        let answer = line.receive_frame().ok().map(|token| token.len());
        is("the broker's token", answer, right.then_some(0));
        is("heard", is_heard(&mut line), right);
    }
}
