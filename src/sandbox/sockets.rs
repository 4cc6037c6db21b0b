//! Requests over real sockets: the raw client that tests of groups, access rules and logins share.

mod groups;
mod logins;
mod rules;
mod versions;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{GroupId, RequestHeader, ResponseHeader, TopicName},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ClusterPlan, Plan, Sandbox, cluster::Cluster, errors, state::text};

/// One connection.
struct Client {
    stream: TcpStream,
    next: i32,
}

impl Client {
    async fn new(cluster: &Cluster) -> Self {
        let stream = TcpStream::connect(cluster.bootstrap()).await;
        Self {
            stream: stream.expect("a listener"),
            next: 7,
        }
    }

    async fn send<R: Request>(&mut self, version: i16, request: &R) {
        let mut frame = BytesMut::new();
        frame.put_u32(0);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next)
            .with_client_id(Some(text("app")));
        header
            .encode(&mut frame, R::header_version(version))
            .expect("a header");
        request
            .encode(&mut frame, version)
            .expect("a request of this version");
        self.write(frame).await;
    }

    async fn write(&mut self, mut frame: BytesMut) {
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream
            .write_all(&frame)
            .await
            .expect("an open connection");
    }

    /// The next frame; nothing if the connection was closed.
    async fn frame(&mut self) -> Option<Bytes> {
        let length = self.stream.read_u32().await.ok()?;
        let mut frame = vec![0; length as usize];
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(frame.into())
    }

    /// The answer; nothing if the connection was closed.
    async fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
        let mut frame = self.frame().await?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version));
        assert_eq!(header.expect("a header").correlation_id, self.next);
        self.next += 1;
        let answer = R::Response::decode(&mut frame, version).expect("an answer of this version");
        assert_eq!(frame.remaining(), 0, "bytes behind the answer");
        Some(answer)
    }

    async fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }

    async fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_ask(version, request).await.expect("an answer")
    }
}

async fn started(plan: ClusterPlan) -> Sandbox {
    let plan = Plan {
        clusters: vec![plan],
        seed: 1,
    };
    Sandbox::start(plan).await.expect("free ports")
}

fn only(sandbox: &Sandbox) -> &Cluster {
    sandbox.cluster("one").expect("the cluster")
}

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

fn word(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}
