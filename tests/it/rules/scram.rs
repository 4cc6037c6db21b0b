//! SCRAM: users that are made, and messages right and wrong.

use kafka_migrate::{model::connection::ScramHash, wire::scram::Scram};
use kafka_protocol::messages::{
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
    *,
};

use super::{Rule, World, code, codes::*, is, line::*, logins::*};

pub const RULES: &[Rule] = &[
    ("SCRAM: users that are made, log in, change and go", scram),
    ("SCRAM: messages that are wrong", wrong_scram),
    ("SCRAM: what a user may be made of", refused_users),
    ("SCRAM: bare tokens after SaslHandshake v0", bare),
];

const HASHES: [(&str, i8, ScramHash); 2] = [
    ("SCRAM-SHA-256", 1, ScramHash::Sha256),
    ("SCRAM-SHA-512", 2, ScramHash::Sha512),
];

/// Makes a user who may log in by one mechanism.
fn set(admin: &mut Line, who: &str, password: &str, number: i8, iterations: i32) -> i16 {
    let salt = b"a salt of sixteen";
    let mut salted = vec![0; if number == 1 { 32 } else { 64 }];
    let rounds = iterations.cast_unsigned();
    if number == 1 {
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, rounds, &mut salted);
    } else {
        pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password.as_bytes(), salt, rounds, &mut salted);
    }
    let one = ScramCredentialUpsertion::default()
        .with_name(text(who))
        .with_mechanism(number)
        .with_iterations(iterations)
        .with_salt(salt.to_vec().into())
        .with_salted_password(salted.into());
    let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![one]);
    admin.ask(0, &request).results[0].error_code
}

/// A whole login by SCRAM: the last code, and whether the broker's proof is right.
fn logs_in(
    world: &World,
    (mechanism, _, hash): (&str, i8, ScramHash),
    who: &str,
    password: &str,
) -> (String, bool) {
    let mut line = Line::silent(world);
    code(mechanism, shake(&mut line, 1, mechanism).error_code, NONE);
    let (client, first) = Scram::start(hash, who, password, "a-nonce");
    let (seen, _, challenge) = said(&mut line, first.as_bytes());
    if seen != name(NONE) {
        return (seen, false);
    }
    let (sent, last) = client.answer(&challenge).expect("a challenge");
    let (seen, _, proof) = said(&mut line, last.as_bytes());
    let right = seen == name(NONE) && sent.check(&proof).is_ok() && is_heard(&mut line);
    (seen, right)
}

fn scram(world: &World) {
    let mut admin = Line::to(world);
    // A comma and an equals sign are written in another way.
    let who = world.unique("us=er,");
    for hash in HASHES {
        let attempt = |what: &str, password: &str, right: bool| {
            let expected = if right {
                NONE
            } else {
                SASL_AUTHENTICATION_FAILED
            };
            let expected = (name(expected), right);
            let seen = settled(
                || logs_in(world, hash, &who, password),
                |seen| *seen == expected,
            );
            is(what, seen, expected);
        };
        attempt("nobody yet", "one", false);
        code("made", set(&mut admin, &who, "one", hash.1, 4096), NONE);
        attempt("let in", "one", true);
        attempt("wrong password", "two", false);
        code("changed", set(&mut admin, &who, "two", hash.1, 8192), NONE);
        attempt("the new one", "two", true);
        attempt("the old one", "one", false);
        let gone = ScramCredentialDeletion::default()
            .with_name(text(&who))
            .with_mechanism(hash.1);
        let request = AlterUserScramCredentialsRequest::default().with_deletions(vec![gone]);
        code(
            "deleted",
            admin.ask(0, &request).results[0].error_code,
            NONE,
        );
        attempt("nobody any more", "two", false);
        code(
            "deleted again",
            admin.ask(0, &request).results[0].error_code,
            RESOURCE_NOT_FOUND,
        );
    }
}

fn wrong_scram(world: &World) {
    let mut admin = Line::to(world);
    let who = world.unique("user");
    let (mechanism, number, hash) = HASHES[0];
    code("made", set(&mut admin, &who, "one", number, 4096), NONE);
    let known = || logs_in(world, HASHES[0], &who, "one").1;
    is("it counts", settled(known, |known| *known), true);
    let invalid = format!(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
    );
    let begin = |first: &str| {
        let mut line = Line::silent(world);
        shake(&mut line, 1, mechanism);
        let (seen, told, challenge) = said(&mut line, first.as_bytes());
        (line, seen, told, challenge)
    };
    let failed = || name(SASL_AUTHENTICATION_FAILED);
    for first in [
        format!("y,,n={who},r=x"),
        format!("p=tls-unique,,n={who},r=x"),
        format!("n,,n={who}"),
        format!("n,,n={who},r="),
        format!("n,,r=x,n={who}"),
        "n,,n=,r=x".to_owned(),
        "n,,n=nobody,r=x".to_owned(),
        format!("n,,n={who}=2,r=x"),
        String::new(),
    ] {
        let (mut line, seen, told, _) = begin(&first);
        is(&first, (seen, told.as_deref()), (failed(), Some(&*invalid)));
        is("closed", is_closed(&mut line), true);
    }
    let other = "Authentication failed: Client requested an authorization id that is different from username";
    let (_, seen, told, _) = begin(&format!("n,a=admin,n={who},r=x"));
    is(
        "as another",
        (seen, told.as_deref()),
        (failed(), Some(other)),
    );
    for first in [
        format!("n,a={who},n={who},r=x"),
        format!("n,,m=x,n={who},r=x"),
        format!("n,,n={who},r=x,ext=1"),
    ] {
        let (_, seen, _, challenge) = begin(&first);
        is(
            &first,
            (seen, challenge.starts_with(b"r=x")),
            (name(NONE), true),
        );
    }
    for (from, to) in [
        ("c=biws", "c=eSws"),
        ("r=a-n", "r=b-n"),
        (",p=", ""),
        ("c=", "x="),
        ("c=biws,", ""),
    ] {
        let (client, first) = Scram::start(hash, &who, "one", "a-nonce");
        let (mut line, _, _, challenge) = begin(&first);
        let (_, last) = client.answer(&challenge).expect("a challenge");
        let (seen, told, _) = said(&mut line, last.replacen(from, to, 1).as_bytes());
        is(from, (seen, told.as_deref()), (failed(), Some(&*invalid)));
        is("closed", is_closed(&mut line), true);
    }
    // A proof of another length is not even refused.
    let (client, first) = Scram::start(hash, &who, "one", "a-nonce");
    let (mut line, _, _, challenge) = begin(&first);
    let (_, last) = client.answer(&challenge).expect("a challenge");
    let (seen, ..) = said(&mut line, last.replacen(",p=", ",p=AAAA", 1).as_bytes());
    is("a longer proof", &*seen, "closed");
}

fn refused_users(world: &World) {
    let mut admin = Line::to(world);
    let who = world.unique("user");
    let mut check = |what: &str, who: &str, number, iterations, expected| {
        code(
            what,
            set(&mut admin, who, "one", number, iterations),
            expected,
        );
    };
    check("too few", &who, 1, 4095, UNACCEPTABLE_CREDENTIAL);
    check("too many", &who, 1, 16_385, UNACCEPTABLE_CREDENTIAL);
    check("no name", "", 1, 4096, UNACCEPTABLE_CREDENTIAL);
    check("no mechanism", &who, 0, 4096, UNSUPPORTED_SASL_MECHANISM);
    check(
        "a mechanism that does not exist",
        &who,
        9,
        4096,
        UNSUPPORTED_SASL_MECHANISM,
    );
    check("as many as may be", &who, 1, 16_384, NONE);
}

fn bare(world: &World) {
    let mut admin = Line::to(world);
    let who = world.unique("user");
    let (mechanism, number, hash) = HASHES[1];
    code("made", set(&mut admin, &who, "one", number, 4096), NONE);
    let known = || logs_in(world, HASHES[1], &who, "one").1;
    is("it counts", settled(known, |known| *known), true);
    let mut line = Line::silent(world);
    shake(&mut line, 0, mechanism);
    let (client, first) = Scram::start(hash, &who, "one", "a-nonce");
    line.send_frame(first.as_bytes()).expect("sent");
    let challenge = line.receive_frame().expect("a challenge");
    let (sent, last) = client.answer(&challenge).expect("a challenge");
    line.send_frame(last.as_bytes()).expect("sent");
    let proof = line.receive_frame().expect("a proof");
    is("its proof", sent.check(&proof).is_ok(), true);
    is("heard", is_heard(&mut line), true);
}
