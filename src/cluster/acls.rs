//! Access rules: all of a cluster's are read; made and removed only on a target, each by itself.

use kafka_protocol::messages::{
    CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, create_acls_request::AclCreation,
    delete_acls_request::DeleteAclsFilter,
};

use super::{
    Cluster, Error, Result, Target,
    pool::{Lane, text},
};
use crate::{
    model::acl::{Kind, Rule},
    wire::{conn::Conn, versions::Ask},
};

/// `ResourceType.ANY`, `PatternType.ANY`, `AclOperation.ANY`, `AclPermissionType.ANY`.
const ANY: i8 = 1;
/// `PatternType`.
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
/// `AclPermissionType`.
const DENY: i8 = 2;
const ALLOW: i8 = 3;
/// The cluster has no authorizer.
const SECURITY_DISABLED: i16 = 54;
/// Rules per request.
const AT_ONCE: usize = 500;

impl Cluster {
    /// Every access rule; `None` where the cluster has no authorizer. Takes the right to Describe the cluster.
    pub async fn acls(&self) -> Result<Option<Vec<Rule>>> {
        let mut patience = self.patience(DescribeAclsRequest::API.name);
        loop {
            let tried = async { self.acls_over(&self.any().await?).await };
            match tried.await {
                Ok(rules) => return Ok(rules),
                Err(error) => drop(patience.after(error).await?),
            }
        }
    }

    /// The same as one broker has heard of them, asked once.
    pub(super) async fn acls_at(&self, broker: i32) -> Result<Option<Vec<Rule>>> {
        let conn = self.conn(broker, Lane::Ask, DescribeAclsRequest::API.name);
        self.acls_over(&conn.await?).await
    }

    async fn acls_over(&self, conn: &Conn) -> Result<Option<Vec<Rule>>> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer = self.ask(conn, &request).await?;
        match answer.error_code {
            0 => {}
            SECURITY_DISABLED => return Ok(None),
            code => {
                let api = DescribeAclsRequest::API.name;
                return Err(self.said(conn, api, code, answer.error_message.as_deref()));
            }
        }
        let mut rules = Vec::new();
        for resource in answer.resources {
            for acl in resource.acls {
                rules.push(Rule {
                    kind: Kind::of(resource.resource_type),
                    name: resource.resource_name.to_string(),
                    prefixed: resource.pattern_type == PREFIXED,
                    principal: acl.principal.to_string(),
                    host: acl.host.to_string(),
                    doing: crate::model::acl::Doing::of(acl.operation),
                    denies: acl.permission_type == DENY,
                });
            }
        }
        rules.sort_unstable();
        Ok(Some(rules))
    }

    fn said(&self, conn: &Conn, api: &'static str, code: i16, message: Option<&str>) -> Error {
        Error::Kafka {
            side: self.side(),
            broker: Some(conn.address().clone()),
            api,
            topic: None,
            partition: None,
            code,
            message: message.map(str::to_owned),
        }
    }
}

impl Target {
    /// Makes these rules; one that is there already is fine. One result per rule, in order. Takes the right to Alter the cluster.
    pub async fn make_acls(&self, rules: &[Rule]) -> Result<Vec<Result<()>>> {
        let api = CreateAclsRequest::API.name;
        let mut done = Vec::with_capacity(rules.len());
        for some in rules.chunks(AT_ONCE) {
            let creation = |rule: &Rule| {
                AclCreation::default()
                    .with_resource_type(rule.kind.number())
                    .with_resource_name(text(&rule.name))
                    .with_resource_pattern_type(pattern(rule))
                    .with_principal(text(&rule.principal))
                    .with_host(text(&rule.host))
                    .with_operation(rule.doing.number())
                    .with_permission_type(permission(rule))
            };
            let request =
                CreateAclsRequest::default().with_creations(some.iter().map(creation).collect());
            // To make a rule twice makes one.
            let (answer, conn) = self.ask_controller(&request).await?;
            let mut answers = answer.results.into_iter();
            done.extend(some.iter().map(|rule| match answers.next() {
                Some(one) if one.error_code == 0 => Ok(()),
                Some(one) => {
                    Err(self.said(&conn, api, one.error_code, one.error_message.as_deref()))
                }
                None => Err(self.left_out(&conn, api, rule)),
            }));
        }
        Ok(done)
    }

    /// Removes these rules, and none but these; one that is not there is fine. One result per rule, in order.
    pub async fn remove_acls(&self, rules: &[Rule]) -> Result<Vec<Result<()>>> {
        let api = DeleteAclsRequest::API.name;
        let mut done = Vec::with_capacity(rules.len());
        for some in rules.chunks(AT_ONCE) {
            let filter = |rule: &Rule| {
                DeleteAclsFilter::default()
                    .with_resource_type_filter(rule.kind.number())
                    .with_resource_name_filter(Some(text(&rule.name)))
                    .with_pattern_type_filter(pattern(rule))
                    .with_principal_filter(Some(text(&rule.principal)))
                    .with_host_filter(Some(text(&rule.host)))
                    .with_operation(rule.doing.number())
                    .with_permission_type(permission(rule))
            };
            let request =
                DeleteAclsRequest::default().with_filters(some.iter().map(filter).collect());
            let (answer, conn) = self.ask_controller(&request).await?;
            let mut answers = answer.filter_results.into_iter();
            done.extend(some.iter().map(|rule| match answers.next() {
                Some(one) => {
                    let each = one.matching_acls.iter();
                    let each = each.map(|acl| (acl.error_code, acl.error_message.as_deref()));
                    let whole = (one.error_code, one.error_message.as_deref());
                    let failed = std::iter::once(whole)
                        .chain(each)
                        .find(|(code, _)| *code != 0);
                    failed.map_or(
                        Ok(()),
                        |(code, said)| Err(self.said(&conn, api, code, said)),
                    )
                }
                None => Err(self.left_out(&conn, api, rule)),
            }));
        }
        Ok(done)
    }

    /// Asks whoever decides, again where that may help. What is asked does no harm twice.
    async fn ask_controller<A: Ask>(&self, request: &A) -> Result<(A::Answer, Conn)> {
        let mut patience = self.patience(A::API.name);
        loop {
            let tried = async {
                let conn = self.controller(A::API.name).await?;
                Ok((self.ask(&conn, request).await?, conn))
            };
            match tried.await {
                Ok(answered) => return Ok(answered),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_leaders().await?;
                    }
                }
            }
        }
    }

    fn left_out(&self, conn: &Conn, api: &'static str, rule: &Rule) -> Error {
        Error::Incomplete {
            side: self.side(),
            broker: conn.address().clone(),
            api,
            what: rule.to_string(),
        }
    }
}

fn pattern(rule: &Rule) -> i8 {
    if rule.prefixed { PREFIXED } else { LITERAL }
}

fn permission(rule: &Rule) -> i8 {
    if rule.denies { DENY } else { ALLOW }
}
