//! Sides that cannot be reached, logged in to or trusted, as people and programs get to know it.

use std::{fs, time::Duration};

use insta::assert_snapshot;

use super::{Place, file, nobody, transcript};
use crate::{
    hostile::{
        broker::{AUTHENTICATE, Broker, HANDSHAKE, Heard, METADATA, Reply, VERSIONS, metadata},
        tls::broker_for,
    },
    support::wait,
};

/// A broker of a cluster of its own that answers one kind of request as told.
async fn broker(key: i16, reply: fn(&Heard) -> Reply) -> (Broker, String) {
    let broker = Broker::start(None, move |heard| {
        if heard.key == key {
            reply(heard)
        } else {
            Reply::Honest
        }
    })
    .await;
    let address = format!("127.0.0.1:{}", broker.port);
    (broker, address)
}

/// An honest broker of another cluster than the others'.
async fn other_cluster() -> (Broker, String) {
    broker(METADATA, |_| {
        // The port it tells leads nowhere, but nobody goes there.
        let mut answer = metadata(1);
        let at = answer.windows(7).position(|word| word == b"cluster");
        answer[at.expect("it is there")..][..7].copy_from_slice(b"another");
        Reply::Body(answer)
    })
    .await
}

const LOGIN: &str = "[source.auth]\nmechanism = \"plain\"\nusername = \"app\"\npassword = { file = \"source.password\" }\n";

/// A file whose source is at `source`, with these lines about it.
fn place(source: &str, target: &str, lines: &str) -> Place {
    let text = file(source, target).replace("[target]", &format!("{lines}\n[target]"));
    let place = Place::with(&text);
    fs::write(place.path().join("source.password"), "hunter2\n")
        .expect("the scratch directory is writable");
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_at_which_nobody_listens() {
    let (_held, nowhere) = nobody();
    let (_target, there) = other_cluster().await;
    let source = place(&nowhere, &there, "");
    assert_snapshot!(source.transcript(&["replicate"]), @r#"
    ── stderr
    HH:MM:SS connecting   to the source (127.0.0.1:PORT) and the target (127.0.0.1:PORT)
    error[K101]: cannot reach the source at 127.0.0.1:PORT: no connection
       cannot connect to 127.0.0.1:PORT
       Connection refused (os error 111)
    hint: are its brokers up, and does a firewall let this machine in?
    next: kafka-migrate replicate      exit 4 (source)
    ── exit 4
    "#);
    let target = place(&there, &nowhere, "");
    assert_snapshot!(target.transcript(&["verify"]), @r#"
    ── stderr
    error[K201]: cannot reach the target at 127.0.0.1:PORT: no connection
       cannot connect to 127.0.0.1:PORT
       Connection refused (os error 111)
    hint: are its brokers up, and does a firewall let this machine in?
    next: kafka-migrate verify      exit 5 (target)
    ── exit 5
    "#);
    assert_snapshot!(target.transcript(&["--json", "status"]), @r#"
    ── stdout
    {"v":1,"at":"DATE","migration":"orders","event":"failed","exit":5,"exit_name":"target","code":"K201","message":"cannot reach the target at 127.0.0.1:PORT: no connection","causes":["cannot connect to 127.0.0.1:PORT","Connection refused (os error 111)"],"hints":["are its brokers up, and does a firewall let this machine in?"],"next":"kafka-migrate --json status"}
    ── exit 5
    "#);
}

#[test]
fn both_sides_are_named_if_both_fail() {
    let (_held, nowhere) = nobody();
    let (_other, elsewhere) = nobody();
    assert_snapshot!(place(&nowhere, &elsewhere, "").transcript(&["status"]), @r#"
    ── stderr
    error[K101]: cannot reach the source at 127.0.0.1:PORT: no connection
       cannot connect to 127.0.0.1:PORT
       Connection refused (os error 111)
       and K201: cannot reach the target at 127.0.0.1:PORT: no connection
    hint: are its brokers up, and does a firewall let this machine in?
    next: kafka-migrate status      exit 4 (source)
    ── exit 4
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_has_no_address() {
    let (_target, there) = other_cluster().await;
    let finished = place("no-such-host.invalid:9092", &there, "").run(&["status"]);
    finished.assert_exit(4);
    // What the resolver says depends on the machine.
    finished.assert_says(
        "error[K102]: cannot reach the source at no-such-host.invalid:9092: no-such-host.invalid has no address",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_names_the_user() {
    let (_source, here) = broker(AUTHENTICATE, |_| {
        Reply::Body(b"\0\0\x3a\x19invalid user or password\x01\0\0\0\0\0\0\0\0\0".to_vec())
    })
    .await;
    let (_target, there) = other_cluster().await;
    assert_snapshot!(place(&here, &there, LOGIN).transcript(&["replicate"]), @r#"
    ── stderr
    note: the source's password travels unencrypted: PLAIN without [source.tls]
    HH:MM:SS connecting   to the source (127.0.0.1:PORT) and the target (127.0.0.1:PORT)
    error[K104]: the source refused the login of app: wrong user name or password
       127.0.0.1:PORT refused the login of app with PLAIN: invalid user or password
    hint: check `source.auth.username` and where `source.auth.password` points to
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mechanism_that_is_not_offered_and_a_port_without_login() {
    let (_target, there) = other_cluster().await;
    let (_source, here) = broker(HANDSHAKE, |_| {
        Reply::Body(b"\0\x21\0\0\0\x01\0\x0dSCRAM-SHA-512".to_vec())
    })
    .await;
    assert_snapshot!(place(&here, &there, LOGIN).transcript(&["status"]), @r#"
    ── stderr
    note: the source's password travels unencrypted: PLAIN without [source.tls]
    error[K105]: the source offers no login with PLAIN
       127.0.0.1:PORT does not offer PLAIN; it offers SCRAM-SHA-512
    hint: set `source.auth.mechanism` to one it offers
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    let (_source, here) = broker(HANDSHAKE, |_| Reply::Body(b"\0\x22\0\0\0\0".to_vec())).await;
    assert_snapshot!(place(&here, &there, LOGIN).transcript(&["status"]), @r#"
    ── stderr
    note: the source's password travels unencrypted: PLAIN without [source.tls]
    error[K106]: the source takes no login on this port
       127.0.0.1:PORT takes no login on this port, and the settings ask for PLAIN
    hint: leave [source.auth] out, or name the port of the listener with SASL in `source.bootstrap`
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_wanted() {
    let (_target, there) = other_cluster().await;
    let (_source, here) = broker(METADATA, |_| Reply::Close).await;
    assert_snapshot!(place(&here, &there, "").transcript(&["status"]), @r#"
    ── stderr
    error[K107]: the source hung up on somebody without a login
       Metadata at the source broker 127.0.0.1:PORT failed
       127.0.0.1:PORT hung up on our first question: it may want a login, and the settings name none
    hint: add [source.auth] with mechanism, username and password
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_ports_that_do_not_fit() {
    let (_target, there) = other_cluster().await;
    let (secure, ca) = broker_for("127.0.0.1").await;
    let (elsewhere, other_ca) = broker_for("elsewhere.example").await;
    let tls = "[source.tls]\nca = \"ca.pem\"\n";
    let with_ca = |port: u16, ca: &str| {
        let place = place(&format!("127.0.0.1:{port}"), &there, tls);
        fs::write(place.path().join("ca.pem"), ca).expect("the scratch directory is writable");
        place
    };
    assert_snapshot!(with_ca(secure.port, &other_ca).transcript(&["status"]), @r#"
    ── stderr
    error[K110]: the source's certificate is not signed by an authority we trust
       the certificate of 127.0.0.1:PORT is not signed by a trusted authority
       invalid peer certificate: BadSignature
    hint: name the right authority's PEM file in `source.tls.ca`
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    assert_snapshot!(with_ca(elsewhere.port, &other_ca).transcript(&["status"]), @r#"
    ── stderr
    error[K111]: the source's certificate is not made out to 127.0.0.1
       the certificate of 127.0.0.1:PORT is not valid for the name 127.0.0.1
       invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("elsewhere.example")
    hint: name the servers in `source.bootstrap` and in advertised.listeners as the certificate does
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    let (plain, _) = other_cluster().await;
    assert_snapshot!(with_ca(plain.port, &ca).transcript(&["status"]), @r#"
    ── stderr
    error[K113]: the settings ask for TLS, and the source speaks none on this port
       127.0.0.1:PORT does not speak TLS: it answered the TLS handshake with something else or hung up
       Connection reset by peer (os error 104)
    hint: leave [source.tls] out, or name the port of the listener with TLS in `source.bootstrap`
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    let plain_text = place(&format!("127.0.0.1:{}", secure.port), &there, "");
    assert_snapshot!(plain_text.transcript(&["status"]), @r#"
    ── stderr
    error[K114]: the source speaks TLS on this port, and the settings ask for plain text
       127.0.0.1:PORT speaks TLS, and the settings say plain text
    hint: add [source.tls], with `ca` where the authority is a private one
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_snapshot!(with_ca(secure.port, garbage).transcript(&["status"]), @r#"
    ── stderr
    error[K017]: the source's connection settings cannot be used
       the trusted certificates cannot be used: ca.pem: invalid peer certificate: BadEncoding
    hint: `source.tls.ca` must name a PEM file with the certificate of the authority that signed the brokers'
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_no_broker() {
    let (_target, there) = other_cluster().await;
    let (_source, here) = broker(VERSIONS, |_| {
        Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
    })
    .await;
    assert_snapshot!(place(&here, &there, "").transcript(&["status"]), @r#"
    ── stderr
    error[K122]: what answers as the source does not speak Kafka's protocol as we know it
       127.0.0.1:PORT answered request 791752241, which is not in flight
    hint: is the port in `source.bootstrap` a Kafka listener, with nothing in between that changes bytes?
    next: kafka-migrate config      exit 4 (source)
    ── exit 4
    "#);
    let (_source, here) = broker(VERSIONS, |_| Reply::Silence).await;
    assert_snapshot!(place(&here, &there, "").transcript(&["status"]), @r#"
    ── stderr
    error[K103]: cannot reach the source at 127.0.0.1:PORT: it took too long
       127.0.0.1:PORT did not finish its first answer within 5s
    hint: is it overloaded, or the port that of something else? `source.connect_timeout` is how long we wait
    next: kafka-migrate status      exit 4 (source)
    ── exit 4
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_the_source() {
    let (_source, here) = broker(METADATA, |_| Reply::Honest).await;
    let same = place(&here, &here, "");
    assert_snapshot!(same.transcript(&["replicate", "--until", "caught-up"]), @r#"
    ── stderr
    HH:MM:SS connecting   to the source (127.0.0.1:PORT) and the target (127.0.0.1:PORT)
    error[K022]: source and target are the same cluster (id cluster): its topics would be copied into themselves
    hint: correct `source.bootstrap` or `target.bootstrap`
    next: kafka-migrate config      exit 2 (usage)
    ── exit 2
    "#);
    for command in ["status", "verify"] {
        same.run(&[command]).assert_exit(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_connecting_ends_it_at_once() {
    let (_target, there) = other_cluster().await;
    let (silent, here) = broker(VERSIONS, |_| Reply::Silence).await;
    let place = place(&here, &there, "connect_timeout = \"1h\"\n");
    // The file had a time-out of its own.
    let path = place.path().join("migration.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(&path, text.replacen("connect_timeout = \"5s\"\n", "", 1)).expect("as above");
    for command in ["replicate", "verify"] {
        let before = silent.count(VERSIONS);
        let mut tool = place.command(&[command]).start();
        wait::until("it connects", Duration::from_secs(30), || {
            assert!(!tool.has_ended(), "it ended: {}", tool.said());
            silent.count(VERSIONS) > before
        });
        tool.interrupt();
        let finished = tool.wait(Duration::from_secs(30));
        finished.assert_exit(130);
        assert!(!transcript(&finished).contains("error["), "{finished}");
    }
}
