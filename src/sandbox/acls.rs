//! Access rules as KRaft's `StandardAuthorizer` keeps and enforces them.
//!
//! A rule that denies wins over all that allow. Without either, who asks is refused, or, where no rule at all is on the resource, let in if
//! `allow.everyone.if.no.acl.found` says so. Numbers are Kafka's own: they come from requests as they are.

use std::collections::BTreeSet;

use super::errors;

/// `ResourceType`.
#[allow(missing_docs, reason = "the names are Kafka's own")]
pub mod resource {
    pub const TOPIC: i8 = 2;
    pub const GROUP: i8 = 3;
    pub const CLUSTER: i8 = 4;
    pub const TRANSACTIONAL_ID: i8 = 5;
    pub const USER: i8 = 7;
}

/// `AclOperation`.
#[allow(missing_docs, reason = "the names are Kafka's own")]
pub mod operation {
    pub const ALL: i8 = 2;
    pub const READ: i8 = 3;
    pub const WRITE: i8 = 4;
    pub const CREATE: i8 = 5;
    pub const DELETE: i8 = 6;
    pub const ALTER: i8 = 7;
    pub const DESCRIBE: i8 = 8;
    pub const CLUSTER_ACTION: i8 = 9;
    pub const DESCRIBE_CONFIGS: i8 = 10;
    pub const ALTER_CONFIGS: i8 = 11;
    pub const IDEMPOTENT_WRITE: i8 = 12;
    /// The last that exists (KIP-939).
    pub const LAST: i8 = 15;
}

/// "Any" in a filter, of every kind.
const ANY: i8 = 1;
/// `PatternType`.
const MATCH: i8 = 2;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
/// `AclPermissionType`.
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// The only resource of its type.
pub const CLUSTER_NAME: &str = "kafka-cluster";
/// Where every connection to the simulation comes from.
const HOST: &str = "127.0.0.1";
const WILDCARD: &str = "*";
const EVERYBODY: &str = "User:*";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    /// `ResourceType`.
    pub resource: i8,
    /// Of the resource, or how names begin, or `*`.
    pub name: String,
    /// `PatternType`: literal or prefixed.
    pub pattern: i8,
    /// `User:name`, or `User:*`.
    pub principal: String,
    /// From where, or `*`.
    pub host: String,
    /// `AclOperation`.
    pub operation: i8,
    /// `AclPermissionType`: allow or deny.
    pub permission: i8,
}

/// Which rules (`AclBindingFilter`). None and "any" are all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// `ResourceType`.
    pub resource: i8,
    /// Of the resource.
    pub name: Option<String>,
    /// `PatternType`: also "any", and "match" for all patterns that cover the name.
    pub pattern: i8,
    /// Whom the rule is for.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// `AclOperation`.
    pub operation: i8,
    /// `AclPermissionType`.
    pub permission: i8,
}

/// The rules of a cluster.
#[derive(Debug, Default)]
pub struct Acls {
    /// Is there an authorizer?
    pub enforced: bool,
    /// Principals that may do everything (`super.users`).
    pub super_users: Vec<String>,
    /// `allow.everyone.if.no.acl.found`.
    pub everyone_if_none: bool,
    rules: BTreeSet<Acl>,
}

impl Acls {
    /// May the principal do this?
    pub fn allows(&self, principal: &str, operation: i8, resource: i8, name: &str) -> bool {
        if !self.enforced || self.super_users.iter().any(|user| user == principal) {
            return true;
        }
        let mut any = false;
        let mut allowed = false;
        for rule in self.rules.iter().filter(|rule| rule.covers(resource, name)) {
            any = true;
            if !rule.is_for(principal) {
                continue;
            }
            if rule.permission == DENY && rule.denies(operation) {
                return false;
            }
            allowed |= rule.permission == ALLOW && rule.allows(operation);
        }
        allowed || (!any && self.everyone_if_none)
    }

    /// May the principal do this to any resource of the type, as InitProducerId asks for topics (KIP-679)?
    pub fn allows_any(&self, principal: &str, operation: i8, resource: i8) -> bool {
        // As Kafka does it: a name that nobody gives is allowed to those who may do everything.
        if self.allows(principal, operation, resource, "hardcode") {
            return true;
        }
        let of_it = |permission: i8| {
            self.rules.iter().filter(move |rule| {
                rule.resource == resource
                    && rule.permission == permission
                    && rule.is_for(principal)
                    && (rule.operation == operation || rule.operation == operation::ALL)
            })
        };
        of_it(ALLOW).any(|allow| !of_it(DENY).any(|deny| deny.dominates(allow)))
    }

    /// What a principal may do to a resource, as a bit per operation (KIP-430).
    pub fn operations(&self, principal: &str, resource: i8, name: &str) -> i32 {
        use operation::{
            ALTER, ALTER_CONFIGS, CLUSTER_ACTION, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS,
            IDEMPOTENT_WRITE, READ, WRITE,
        };
        // `AclEntry.supportedOperations`.
        let supported: &[i8] = match resource {
            resource::TOPIC => &[
                READ,
                WRITE,
                CREATE,
                DESCRIBE,
                DELETE,
                ALTER,
                DESCRIBE_CONFIGS,
                ALTER_CONFIGS,
            ],
            resource::GROUP => &[READ, DESCRIBE, DELETE],
            resource::CLUSTER => &[
                CREATE,
                CLUSTER_ACTION,
                DESCRIBE_CONFIGS,
                ALTER_CONFIGS,
                IDEMPOTENT_WRITE,
                ALTER,
                DESCRIBE,
            ],
            _ => &[DESCRIBE, WRITE],
        };
        let allowed = supported
            .iter()
            .filter(|operation| self.allows(principal, **operation, resource, name));
        allowed.fold(0, |bits, operation| bits | 1 << operation)
    }

    /// Adds a rule; one that is there already stays the only one.
    pub fn create(&mut self, acl: Acl) -> Result<(), (i16, String)> {
        acl.check()
            .map_err(|reason| (errors::INVALID_REQUEST, reason))?;
        self.rules.insert(acl);
        Ok(())
    }

    /// The rules that match.
    pub fn matching(&self, filter: &Filter) -> Vec<Acl> {
        self.rules
            .iter()
            .filter(|rule| filter.matches(rule))
            .cloned()
            .collect()
    }

    /// Deletes the rules that match, and says which.
    pub fn delete(&mut self, filter: &Filter) -> Vec<Acl> {
        let gone = self.matching(filter);
        self.rules.retain(|rule| !filter.matches(rule));
        gone
    }
}

impl Acl {
    fn covers(&self, resource: i8, name: &str) -> bool {
        self.resource == resource
            && match self.pattern {
                PREFIXED => name.starts_with(&self.name),
                _ => self.name == name || self.name == WILDCARD,
            }
    }

    fn is_for(&self, principal: &str) -> bool {
        (self.principal == principal || self.principal == EVERYBODY)
            && (self.host == WILDCARD || self.host == HOST)
    }

    fn allows(&self, asked: i8) -> bool {
        use operation::{
            ALL, ALTER, ALTER_CONFIGS, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE,
        };
        self.operation == ALL
            || self.operation == asked
            || match asked {
                DESCRIBE => [READ, WRITE, DELETE, ALTER].contains(&self.operation),
                DESCRIBE_CONFIGS => self.operation == ALTER_CONFIGS,
                _ => false,
            }
    }

    /// Nothing is implied: who may not read may still describe.
    fn denies(&self, asked: i8) -> bool {
        self.operation == operation::ALL || self.operation == asked
    }

    /// Does this rule's pattern cover all that the other's covers?
    fn dominates(&self, other: &Self) -> bool {
        match (self.pattern, other.pattern) {
            _ if self.pattern == LITERAL && self.name == WILDCARD => true,
            (PREFIXED, _) => other.name.starts_with(&self.name) && other.name != WILDCARD,
            (_, PREFIXED) => false,
            _ => self.name == other.name,
        }
    }

    /// Is it no rule but a filter? `AclBinding` cannot be made of it, and the whole request fails.
    pub fn is_any(&self) -> bool {
        [self.resource, self.pattern, self.operation, self.permission].contains(&ANY)
            || self.pattern == MATCH
    }

    /// What is refused by `AclApis.handleCreateAcls` and `AclControlManager.validateNewAcl`.
    fn check(&self) -> Result<(), String> {
        if self.resource == resource::CLUSTER && self.name != CLUSTER_NAME {
            return Err(format!(
                "The only valid name for the CLUSTER resource is {CLUSTER_NAME}"
            ));
        }
        if self.name.is_empty() {
            return Err("Invalid empty resource name".to_owned());
        }
        if !(resource::TOPIC..=resource::USER).contains(&self.resource) {
            return Err(format!("Invalid resourceType {}", self.resource));
        }
        if ![LITERAL, PREFIXED].contains(&self.pattern) {
            return Err(format!("Invalid patternType {}", self.pattern));
        }
        if !(operation::ALL..=operation::LAST).contains(&self.operation) {
            return Err(format!("Invalid operation {}", self.operation));
        }
        if ![DENY, ALLOW].contains(&self.permission) {
            return Err(format!("Invalid permissionType {}", self.permission));
        }
        // Nothing before or behind the colon is as good (`SecurityUtils.parseKafkaPrincipal`).
        if self.principal.contains(':') {
            Ok(())
        } else {
            Err(format!(
                "Could not parse principal from `{}` (expected a string in format principalType:principalName)",
                self.principal
            ))
        }
    }
}

impl Filter {
    /// Every rule.
    #[cfg(test)]
    fn all() -> Self {
        Self {
            resource: ANY,
            name: None,
            pattern: ANY,
            principal: None,
            host: None,
            operation: ANY,
            permission: ANY,
        }
    }

    /// A number that no release knows matches nothing and is refused (`AclControlManager.validateFilter`).
    pub fn is_unknown(&self) -> bool {
        !(ANY..=resource::USER).contains(&self.resource)
            || !(ANY..=PREFIXED).contains(&self.pattern)
            || !(ANY..=operation::LAST).contains(&self.operation)
            || !(ANY..=ALLOW).contains(&self.permission)
    }

    fn matches(&self, acl: &Acl) -> bool {
        let number = |wanted: i8, is: i8| wanted == ANY || wanted == is;
        let word =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        number(self.resource, acl.resource)
            && self.matches_name(acl)
            && word(&self.principal, &acl.principal)
            && word(&self.host, &acl.host)
            && number(self.operation, acl.operation)
            && number(self.permission, acl.permission)
    }

    /// `ResourcePatternFilter.matches`.
    fn matches_name(&self, acl: &Acl) -> bool {
        if ![ANY, MATCH, acl.pattern].contains(&self.pattern) {
            return false;
        }
        match &self.name {
            None => true,
            Some(name) if self.pattern != MATCH => *name == acl.name,
            Some(name) if acl.pattern == PREFIXED => name.starts_with(&acl.name),
            Some(name) => *name == acl.name || acl.name == WILDCARD,
        }
    }
}

// Which right each API asks for (Kafka's documentation, "Operations and resources on protocols"; `KafkaApis`). "Group READ" is: operation READ on
// the resource GROUP of that name; the cluster's name is `kafka-cluster`. What is not allowed is answered with the resource's own error:
// TOPIC_AUTHORIZATION_FAILED (29) for that topic alone, GROUP_ (30), CLUSTER_ (31) and TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53) for the whole.
//
//   Produce                       topic WRITE; with a transactional id: transactional id WRITE. Nothing on the cluster (since 2.8)
//   Fetch                         topic READ
//   ListOffsets                   topic DESCRIBE
//   OffsetForLeaderEpoch          topic DESCRIBE
//   Metadata                      topic DESCRIBE, others are left out where all are asked for; to create: cluster or topic CREATE
//   FindCoordinator               group DESCRIBE, or transactional id DESCRIBE
//   InitProducerId                transactional id WRITE; without one cluster IDEMPOTENT_WRITE, or WRITE of any topic
//   AddPartitionsToTxn            transactional id WRITE, topic WRITE (from v4 on: cluster CLUSTER_ACTION)
//   AddOffsetsToTxn               transactional id WRITE, group READ
//   TxnOffsetCommit               transactional id WRITE, group READ, topic READ
//   EndTxn                        transactional id WRITE
//   DescribeProducers             topic READ
//   DescribeTransactions          transactional id DESCRIBE; topics without DESCRIBE are left out
//   ListTransactions              those with transactional id DESCRIBE
//   CreateTopics                  cluster CREATE or topic CREATE; settings are shown with topic DESCRIBE_CONFIGS
//   CreatePartitions              topic ALTER
//   DeleteTopics                  topic DELETE; who may DESCRIBE is told that there is none
//   DeleteRecords                 topic DELETE
//   DescribeConfigs               topic, or cluster for brokers, DESCRIBE_CONFIGS
//   AlterConfigs, Incremental...  topic, or cluster for brokers, ALTER_CONFIGS
//   DescribeCluster, ApiVersions  nothing
//   DescribeLogDirs               cluster DESCRIBE
//   ElectLeaders, reassignments   cluster ALTER; to list them: cluster DESCRIBE
//   JoinGroup, SyncGroup,
//   Heartbeat, LeaveGroup         group READ
//   OffsetCommit                  group READ, topic READ
//   OffsetFetch                   group DESCRIBE, topic DESCRIBE; others are left out where all are asked for
//   OffsetDelete                  group DELETE, topic READ
//   ListGroups                    cluster DESCRIBE, else those with group DESCRIBE
//   DescribeGroups and
//   ConsumerGroupDescribe         group DESCRIBE
//   DeleteGroups                  group DELETE
//   DescribeAcls                  cluster DESCRIBE
//   CreateAcls, DeleteAcls        cluster ALTER
//   DescribeUserScramCredentials  cluster DESCRIBE
//   AlterUserScramCredentials     cluster ALTER
//   SaslHandshake, -Authenticate  nothing

#[cfg(test)]
mod tests;
