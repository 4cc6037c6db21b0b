//! Logging in, and what is not heard before.

use kafka_protocol::messages::*;

use super::*;
use crate::{model::connection::ScramHash, wire::scram::Scram};

async fn with_alice() -> Sandbox {
    started(ClusterPlan::new("one").with_user("alice", "secret")).await
}

fn handshake(mechanism: &str) -> SaslHandshakeRequest {
    SaslHandshakeRequest::default().with_mechanism(text(mechanism))
}

fn token(bytes: &[u8]) -> SaslAuthenticateRequest {
    SaslAuthenticateRequest::default().with_auth_bytes(Bytes::copy_from_slice(bytes))
}

async fn is_heard(client: &mut Client) -> bool {
    client
        .try_ask(5, &ListGroupsRequest::default())
        .await
        .is_some()
}

#[tokio::test]
async fn plain() {
    let sandbox = with_alice().await;
    let mut client = Client::new(only(&sandbox)).await;
    let named = ApiVersionsRequest::default()
        .with_client_software_name(text("app"))
        .with_client_software_version(text("1"));
    let offered = client.ask(3, &named).await;
    assert!(
        offered
            .api_keys
            .iter()
            .any(|one| one.api_key == ApiKey::SaslHandshake as i16)
    );
    let agreed = client.ask(1, &handshake("PLAIN")).await;
    let names: Vec<&str> = agreed.mechanisms.iter().map(|name| name.as_str()).collect();
    assert_eq!(
        (agreed.error_code, names),
        (
            errors::NONE,
            vec!["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        )
    );
    let done = client.ask(2, &token(b"\0alice\0secret")).await;
    assert_eq!(
        (done.error_code, done.session_lifetime_ms),
        (errors::NONE, 0)
    );
    assert!(is_heard(&mut client).await);
    let again = client.ask(2, &token(b"\0alice\0secret")).await;
    assert_eq!(again.error_code, errors::ILLEGAL_SASL_STATE);
    assert!(is_heard(&mut client).await, "no reason to hang up");
}

#[tokio::test]
async fn scram() {
    let sandbox = with_alice().await;
    for (hash, name) in [
        (ScramHash::Sha256, "SCRAM-SHA-256"),
        (ScramHash::Sha512, "SCRAM-SHA-512"),
    ] {
        let mut client = Client::new(only(&sandbox)).await;
        client.ask(1, &handshake(name)).await;
        let (scram, first) = Scram::start(hash, "alice", "secret", "abc");
        let challenge = client.ask(2, &token(first.as_bytes())).await;
        let (sent, last) = scram
            .answer(&challenge.auth_bytes)
            .expect("a good challenge");
        let proof = client.ask(2, &token(last.as_bytes())).await;
        assert_eq!(sent.check(&proof.auth_bytes), Ok(()));
        assert!(is_heard(&mut client).await);
    }
}

#[tokio::test]
async fn a_refused_login_hears_why_and_is_cut() {
    let sandbox = with_alice().await;
    let mut client = Client::new(only(&sandbox)).await;
    client.ask(1, &handshake("PLAIN")).await;
    let refused = client.ask(2, &token(b"\0alice\0wrong")).await;
    assert_eq!(refused.error_code, errors::SASL_AUTHENTICATION_FAILED);
    assert_eq!(
        refused.error_message.as_deref(),
        Some("Authentication failed: Invalid username or password")
    );
    assert_eq!(client.frame().await, None);
    let mut client = Client::new(only(&sandbox)).await;
    assert_eq!(
        client.ask(1, &handshake("GSSAPI")).await.error_code,
        errors::UNSUPPORTED_SASL_MECHANISM
    );
    assert_eq!(client.frame().await, None);
}

#[tokio::test]
async fn nothing_is_heard_before_the_login() {
    let sandbox = with_alice().await;
    let mut client = Client::new(only(&sandbox)).await;
    assert!(!is_heard(&mut client).await);
    let mut client = Client::new(only(&sandbox)).await;
    client.ask(1, &handshake("PLAIN")).await;
    let answer = client.ask(5, &ListGroupsRequest::default()).await;
    assert_eq!(answer.error_code, errors::ILLEGAL_SASL_STATE, "half way");
    assert_eq!(client.frame().await, None);
}

#[tokio::test]
async fn bare_tokens_after_version_0() {
    let sandbox = with_alice().await;
    for (password, right) in [(&b"\0alice\0secret"[..], true), (b"\0alice\0wrong", false)] {
        let mut client = Client::new(only(&sandbox)).await;
        client.ask(0, &handshake("PLAIN")).await;
        let mut frame = BytesMut::new();
        frame.put_u32(0);
        frame.put_slice(password);
        client.write(frame).await;
        assert_eq!(
            client.frame().await.map(|token| token.len()),
            right.then_some(0)
        );
        if right {
            assert!(is_heard(&mut client).await);
        }
    }
}

#[tokio::test]
async fn a_plain_listener_asks_for_no_login() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let mut client = Client::new(only(&sandbox)).await;
    let refused = client.ask(1, &handshake("PLAIN")).await;
    assert_eq!(
        (refused.error_code, refused.mechanisms.len()),
        (errors::ILLEGAL_SASL_STATE, 0)
    );
    assert!(is_heard(&mut client).await);
}
