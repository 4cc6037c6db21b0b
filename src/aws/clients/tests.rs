//! Calls against an address of our own: how often they are tried, what is told meanwhile, what comes out in the end.

use std::sync::Mutex;

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// Answers one request after the other with these; then no more.
async fn service(answers: Vec<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut byte = [0; 1];
                socket.read_exact(&mut byte).await.unwrap();
                heard.extend(byte);
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}")
}

const SLOW_DOWN: &str = "HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const TROUBLE: &str = "HTTP/1.1 503 Service Unavailable\r\nx-amzn-errortype: ServiceUnavailableException\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const DONE: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 19\r\nconnection: close\r\n\r\n{\"replicators\": []}";

type Told = Arc<Mutex<Vec<String>>>;

async fn clients(address: &str, credentials: impl ProvideCredentials + 'static) -> (Clients, Told) {
    let told = Told::default();
    let into = told.clone();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(address)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(1))
                .with_max_backoff(Duration::from_millis(2)),
        )
        .load()
        .await;
    let notice: Notice = Arc::new(move |line| into.lock().unwrap().push(line.to_owned()));
    (Clients::of(&config, "us-east-1", Some(notice)), told)
}

fn known() -> Credentials {
    Credentials::new("AKID", "secret", None, None, "test")
}

/// The failure of one call, or nothing.
async fn list(clients: &Clients) -> Option<Failure> {
    let error = clients.kafka.list_replicators().send().await.err()?;
    Some(
        clients
            .failed(&Asked::to("kafka:ListReplicators"), &error)
            .await,
    )
}

#[tokio::test]
async fn throttling_is_waited_out_and_told() {
    let mut answers = vec![SLOW_DOWN; 12];
    answers.push(DONE);
    let (clients, told) = clients(&service(answers).await, known()).await;
    assert!(list(&clients).await.is_none());
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len(), 12, "{told:?}");
    assert_eq!(told[0], "Amazon MSK asks us to slow down: try 2");
    assert_eq!(told[11], "Amazon MSK asks us to slow down: try 13");
}

#[tokio::test]
async fn throttling_without_end_is_given_up() {
    let answers = vec![SLOW_DOWN; 40];
    let (clients, told) = clients(&service(answers).await, known()).await;
    assert_eq!(list(&clients).await.expect("it is given up").code, "K304");
    assert_eq!(told.lock().unwrap().len(), 24);
}

#[tokio::test]
async fn trouble_and_silence_are_not_waited_for_as_long() {
    let (clients_, told) = clients(&service(vec![TROUBLE; 40]).await, known()).await;
    assert_eq!(list(&clients_).await.expect("it fails").code, "K308");
    assert_eq!(told.lock().unwrap().len(), 4, "{told:?}");
    // Nobody listens on port 1.
    let (clients_, told) = clients("http://127.0.0.1:1", known()).await;
    let failure = list(&clients_).await.expect("nobody is there");
    assert_eq!(failure.code, "K309", "{failure:?}");
    assert_eq!(told.lock().unwrap().len(), 4, "{told:?}");
    // And the next call is as patient again.
    assert_eq!(list(&clients_).await.expect("nobody is there").code, "K309");
    assert_eq!(told.lock().unwrap().len(), 8, "{told:?}");
}

/// Has none, for this reason.
#[derive(Debug)]
struct Without(fn() -> CredentialsError);

impl ProvideCredentials for Without {
    fn provide_credentials<'a>(&'a self) -> provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provider::future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_it_says_so() {
    let none = Without(|| CredentialsError::not_loaded("nowhere"));
    let (clients_, _) = clients("http://127.0.0.1:1", none).await;
    let failure = list(&clients_).await.expect("there are none");
    assert_eq!(failure.code, "K300", "{failure:?}");
    assert_eq!(clients_.caller().await.unwrap_err().code, "K300");
    let expired = Without(|| CredentialsError::provider_error("the SSO token has expired"));
    let (clients_, _) = clients("http://127.0.0.1:1", expired).await;
    assert_eq!(list(&clients_).await.unwrap().code, "K301");
    let wrong = Without(|| CredentialsError::invalid_configuration("profile x"));
    let (clients_, _) = clients("http://127.0.0.1:1", wrong).await;
    assert_eq!(list(&clients_).await.unwrap().code, "K312");
}
