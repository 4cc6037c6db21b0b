//! Can every broker that the cluster advertises be reached and logged in to, and does it speak what we need?

use std::{sync::Arc, time::Duration};

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DescribeConfigsRequest, DescribeProducersRequest, EndTxnRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
};
use tokio::task::JoinSet;

use super::{Cluster, Error};
use crate::{
    clock::BootInstant,
    model::names::Side,
    wire::versions::{Api, Ask, FETCH, PRODUCE},
};

/// Brokers dialled at the same time.
const AT_ONCE: usize = 32;

/// One advertised broker.
#[derive(Debug, Clone)]
pub struct Reached {
    /// Its id.
    pub broker: i32,
    /// Where it is said to be.
    pub address: Arc<str>,
    /// What came of dialling it.
    pub outcome: Result<Reach, Error>,
}

/// A broker that took our login.
#[derive(Debug, Clone)]
pub struct Reach {
    /// One small question and its answer.
    pub round_trip: Duration,
    /// When the first certificate of its chain ends, in seconds since 1970; `None` without TLS or where it cannot be read.
    pub certificate_ends: Option<i64>,
    /// What we cannot do without and it does not speak in a version of ours.
    pub lacks: Vec<&'static str>,
    /// What we would like and it does not offer.
    pub misses: Vec<&'static str>,
}

impl Cluster {
    /// Dials every advertised broker anew, at its advertised address: a live bootstrap server says nothing of the others.
    pub async fn reach(&self) -> Vec<Reached> {
        let mut waiting = self.inner.leaders.brokers().into_iter();
        let mut dialling = JoinSet::new();
        let mut reached = Vec::new();
        loop {
            while dialling.len() < AT_ONCE
                && let Some((broker, address)) = waiting.next()
            {
                let cluster = self.clone();
                dialling.spawn(async move {
                    let outcome = cluster.reach_one(&address).await;
                    Reached {
                        broker,
                        address,
                        outcome,
                    }
                });
            }
            match dialling.join_next().await {
                Some(Ok(one)) => reached.push(one),
                Some(Err(_)) => {}
                None => break,
            }
        }
        reached.sort_by_key(|one| one.broker);
        reached
    }

    async fn reach_one(&self, address: &Arc<str>) -> Result<Reach, Error> {
        let api = MetadataRequest::API.name;
        let conn = self.inner.dialer.dial(address, None).await;
        let conn = conn.map_err(|source| self.wire(address, api, source))?;
        let asked = BootInstant::now();
        // No topics: the smallest question there is, and one that needs a login where there is one.
        let request = MetadataRequest::default()
            .with_allow_auto_topic_creation(false)
            .with_topics(Some(Vec::new()));
        self.ask(&conn, &request).await?;
        let round_trip = asked.elapsed();
        let speaks = |api: &Api| conn.versions().pick(*api).is_some();
        let lacking = |apis: Vec<Api>| {
            apis.into_iter()
                .filter(|api| !speaks(api))
                .map(|api| api.name)
                .collect()
        };
        let lacks = match self.side() {
            Side::Source => vec![FETCH, MetadataRequest::API, ListOffsetsRequest::API],
            Side::Target => vec![
                PRODUCE,
                FETCH,
                MetadataRequest::API,
                ListOffsetsRequest::API,
                FindCoordinatorRequest::API,
                InitProducerIdRequest::API,
                AddPartitionsToTxnRequest::API,
                EndTxnRequest::API,
                CreateTopicsRequest::API,
                CreatePartitionsRequest::API,
                DeleteRecordsRequest::API,
            ],
        };
        Ok(Reach {
            round_trip,
            certificate_ends: conn.certificate_ends(),
            lacks: lacking(lacks),
            misses: lacking(vec![
                DescribeConfigsRequest::API,
                DescribeProducersRequest::API,
            ]),
        })
    }
}
