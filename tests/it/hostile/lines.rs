//! Connections that break, stall or lie.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use kafka_migrate::{
    cluster::{Error, ProducePart, Source, Target},
    model::{
        connection::{Auth, ScramHash},
        names::{Side, TopicPartition},
        secret::Secret,
    },
    wire::{
        self,
        batch::{HEADER_LEN, Stamped},
    },
};

use super::broker::{
    AUTHENTICATE, Broker, HANDSHAKE, Heard, METADATA, Reply, VERSIONS, authenticated, metadata,
    settings,
};

/// Connects to a broker that answers `key` with `reply` and everything else honestly; what the connection died of.
async fn dies_of(key: i16, reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> wire::Error {
    let broker = Broker::start(None, move |heard| {
        if heard.key == key {
            reply(heard)
        } else {
            Reply::Honest
        }
    })
    .await;
    let error = Source::connect(&broker.settings())
        .await
        .map(drop)
        .expect_err("it cannot connect");
    assert_eq!(error.side(), Side::Source);
    error
        .wire()
        .unwrap_or_else(|| panic!("not a connection's error: {error}"))
        .clone()
}

fn prefix(length: i32, correlation: i32) -> Vec<u8> {
    [length.to_be_bytes(), correlation.to_be_bytes()].concat()
}

#[tokio::test]
async fn an_honest_broker_is_connected_to() {
    let broker = Broker::start(None, |_| Reply::Honest).await;
    let source = Source::connect(&broker.settings())
        .await
        .expect("it connects");
    assert_eq!(source.id(), "cluster");
    assert_eq!(
        source
            .leader(&TopicPartition::new("orders", 0))
            .await
            .expect("it is known"),
        1
    );
    assert_eq!(
        source.cached_leader(&TopicPartition::new("orders", 0)),
        Some((1, 3))
    );
    assert_eq!(
        source.cached_leader(&TopicPartition::new("orders", 1)),
        None
    );
}

#[tokio::test]
async fn a_dead_first_server_is_skipped() {
    let broker = Broker::start(None, |_| Reply::Honest).await;
    let silent = Broker::start(None, |_| Reply::Silence).await;
    let mut settings = broker.settings();
    settings.bootstrap.insert(0, "127.0.0.1:1".into());
    settings
        .bootstrap
        .insert(1, format!("127.0.0.1:{}", silent.port));
    assert_eq!(
        Source::connect(&settings)
            .await
            .expect("the third answers")
            .id(),
        "cluster"
    );
}

#[tokio::test]
async fn nobody_listens() {
    let error = Source::connect(&settings(1))
        .await
        .map(drop)
        .expect_err("nobody listens on port 1");
    assert!(
        matches!(error, Error::Unreachable { ref tried, .. } if tried == &["127.0.0.1:1"]),
        "{error:?}"
    );
    assert!(
        matches!(error.wire(), Some(wire::Error::Connect { .. })),
        "{error:?}"
    );
    let mut unknown = settings(1);
    unknown.bootstrap = vec!["no-such-host.invalid:9092".into()];
    let error = Source::connect(&unknown)
        .await
        .map(drop)
        .expect_err("the name does not exist");
    assert!(
        matches!(error.wire(), Some(wire::Error::Resolve { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_broker_of_another_version_negotiates_down() {
    let broker = Broker::start(None, |heard| match (heard.key, heard.version) {
        // UNSUPPORTED_VERSION in version 0, with no list, as old brokers do.
        (VERSIONS, 3) => Reply::Body(vec![0, 35, 0, 0, 0, 0]),
        (VERSIONS, _) => Reply::Body(vec![0, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 12]),
        _ => Reply::Honest,
    })
    .await;
    Source::connect(&broker.settings())
        .await
        .expect("version 0 is enough to connect");
    assert_eq!(broker.count(VERSIONS), 2);
    let old = dies_of(VERSIONS, |heard| match heard.version {
        3 => Reply::Body(vec![0, 35, 0, 0, 0, 0]),
        _ => Reply::Body(vec![0, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 5]),
    });
    assert!(matches!(
        old.await,
        wire::Error::Version {
            api: "Metadata",
            ours: (9, 12),
            theirs: Some((0, 5)),
            ..
        }
    ));
}

#[tokio::test]
async fn hostile_frames_are_errors() {
    let cut = dies_of(METADATA, |heard| {
        Reply::Raw([prefix(1000, heard.correlation), vec![0; 10]].concat())
    })
    .await;
    assert!(matches!(cut, wire::Error::CutOff { .. }), "{cut:?}");
    let huge = dies_of(METADATA, |heard| {
        Reply::Raw(prefix(i32::MAX, heard.correlation))
    })
    .await;
    assert!(
        matches!(
            huge,
            wire::Error::FrameLength {
                length: 2_147_483_647,
                ..
            }
        ),
        "{huge:?}"
    );
    let negative = dies_of(METADATA, |heard| Reply::Raw(prefix(-5, heard.correlation))).await;
    assert!(
        matches!(negative, wire::Error::FrameLength { length: -5, .. }),
        "{negative:?}"
    );
    let stranger = dies_of(METADATA, |heard| {
        Reply::Raw(prefix(100, heard.correlation + 1))
    })
    .await;
    assert!(
        matches!(stranger, wire::Error::Correlation { .. }),
        "{stranger:?}"
    );
    let garbage = dies_of(METADATA, |_| Reply::Body(vec![0xff; 64])).await;
    assert!(
        matches!(
            garbage,
            wire::Error::Malformed {
                api: "Metadata",
                ..
            }
        ),
        "{garbage:?}"
    );
    let closed = dies_of(METADATA, |_| Reply::Close).await;
    assert!(
        matches!(closed, wire::Error::LoginWanted { .. }),
        "{closed:?}"
    );
    let closed = dies_of(VERSIONS, |_| Reply::Close).await;
    assert!(
        matches!(
            closed,
            wire::Error::Closed {
                during: Some(_),
                ..
            }
        ),
        "{closed:?}"
    );
}

#[tokio::test]
async fn a_silent_broker_is_given_up() {
    let silent = dies_of(VERSIONS, |_| Reply::Silence).await;
    assert!(
        matches!(silent, wire::Error::ConnectTimeout { .. }),
        "{silent:?}"
    );
    let silent = dies_of(METADATA, |_| Reply::Silence).await;
    assert!(
        matches!(
            silent,
            wire::Error::TimedOut {
                api: "Metadata",
                ..
            }
        ),
        "{silent:?}"
    );
}

#[tokio::test]
async fn another_clusters_server_is_refused() {
    let broker = Broker::start(None, |heard| match (heard.key, heard.before) {
        (METADATA, 1..) => {
            let mut other = metadata(1);
            let at = other
                .windows(7)
                .position(|word| word == b"cluster")
                .expect("it is there");
            other[at..at + 7].copy_from_slice(b"another");
            Reply::Body(other)
        }
        _ => Reply::Honest,
    })
    .await;
    let source = Source::connect(&broker.settings())
        .await
        .expect("the first answer is fine");
    let error = source
        .refresh_leaders()
        .await
        .expect_err("the second is of another cluster");
    assert!(
        matches!(error, Error::OtherCluster { ref found, .. } if found == "another"),
        "{error:?}"
    );
}

#[tokio::test]
async fn refreshes_share_one_request() {
    let broker = Broker::start(None, |_| Reply::Honest).await;
    let source = Source::connect(&broker.settings())
        .await
        .expect("it connects");
    let before = broker.count(METADATA);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let source = source.clone();
        all.spawn(async move { source.refresh_leaders().await });
    }
    assert!(all.join_all().await.iter().all(Result::is_ok));
    let asked = broker.count(METADATA) - before;
    assert!((1..=2).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn logins_that_fail_say_why() {
    let plain = || Auth::Plain {
        username: "app".into(),
        password: Secret::new("hunter2"),
    };
    let tried = async |auth: Auth, key: i16, body: &'static [u8]| {
        let script = move |heard: &Heard| {
            if heard.key == key {
                Reply::Body(body.to_vec())
            } else {
                Reply::Honest
            }
        };
        let broker = Broker::start(None, script).await;
        let mut settings = broker.settings();
        settings.auth = auth;
        let error = Source::connect(&settings)
            .await
            .map(drop)
            .expect_err("the login fails");
        let said = format!("{error} {error:?} {settings:?}");
        assert!(!said.contains("hunter2"), "a secret leaked: {said}");
        error.wire().expect("a connection's error").clone()
    };
    let mechanism = tried(plain(), HANDSHAKE, b"\0\x21\0\0\0\x01\0\x06GSSAPI").await;
    assert!(
        matches!(mechanism, wire::Error::Mechanism { ref offered, .. } if offered == &["GSSAPI"]),
        "{mechanism:?}"
    );
    let nobody = tried(plain(), HANDSHAKE, b"\0\x22\0\0\0\0").await;
    assert!(
        matches!(nobody, wire::Error::NoLoginHere { .. }),
        "{nobody:?}"
    );
    let wrong = tried(
        plain(),
        AUTHENTICATE,
        b"\0\0\x3a\x06wrong\x01\0\0\0\0\0\0\0\0\0",
    )
    .await;
    assert!(
        matches!(wrong, wire::Error::Login { ref reason, .. } if reason == "wrong"),
        "{wrong:?}"
    );
    let scram = Auth::Scram {
        hash: ScramHash::Sha512,
        username: "app".into(),
        password: Secret::new("hunter2"),
    };
    let imposter = tried(scram, AUTHENTICATE, b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0").await;
    assert!(
        matches!(imposter, wire::Error::Imposter { .. }),
        "{imposter:?}"
    );
}

#[tokio::test]
async fn a_login_is_renewed_before_its_time_is_up() {
    let broker = Broker::start(None, |heard| match heard.key {
        AUTHENTICATE => Reply::Body(authenticated(300)),
        _ => Reply::Honest,
    })
    .await;
    let mut settings = broker.settings();
    settings.auth = Auth::Plain {
        username: "app".into(),
        password: Secret::new("hunter2"),
    };
    let source = Source::connect(&settings).await.expect("it connects");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while broker.count(AUTHENTICATE) < 3 {
        assert!(std::time::Instant::now() < deadline, "no second login came");
        source
            .refresh_leaders()
            .await
            .expect("questions are answered between logins");
    }
}

/// A broker to which nothing more may be sent, plain.
#[tokio::test]
async fn nothing_is_written_without_the_right_to() {
    let broker = Broker::start(None, |_| Reply::Honest).await;
    nothing_is_written(&broker, &broker.settings()).await;
}

/// Sends with the right to, then without; the broker must hear nothing of the second, nor of anything after it.
pub(super) async fn nothing_is_written(
    broker: &Broker,
    settings: &kafka_migrate::model::connection::Connection,
) {
    let target = Target::connect(settings).await.expect("it connects");
    let allowed = Arc::new(AtomicBool::new(true));
    let asked = allowed.clone();
    let producer = target
        .producer(1, Arc::new(move || asked.load(Ordering::SeqCst)))
        .await
        .expect("it connects");
    let before = broker.received();
    allowed.store(false, Ordering::SeqCst);
    let part = || ProducePart {
        at: TopicPartition::new("orders", 0),
        batch: Stamped {
            head: [0; HEADER_LEN],
            body: Bytes::from(vec![0; 100_000]).into(),
        },
    };
    let first = producer
        .send(vec![part()])
        .await
        .expect("it is queued")
        .answers()
        .await
        .expect_err("it may not be written");
    assert!(
        matches!(first.wire(), Some(wire::Error::MayNotSend { .. })),
        "{first:?}"
    );
    assert!(!producer.is_alive());
    allowed.store(true, Ordering::SeqCst);
    let second = producer
        .send(vec![part()])
        .await
        .map(drop)
        .expect_err("the connection is over");
    assert!(
        matches!(second.wire(), Some(wire::Error::MayNotSend { .. })),
        "{second:?}"
    );
    assert_eq!(broker.received(), before);
}
