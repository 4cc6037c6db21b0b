//! What may be done to something that no ACL speaks of: everything, or nothing (`allow.everyone.if.no.acl.found`)?

use kafka_protocol::messages::DescribeAclsRequest;

use super::{Cluster, Operation, Probe, Result, pool::text};

/// `ResourceType.GROUP`, `PatternType.MATCH`, and any operation and permission.
const GROUP: i8 = 3;
const MATCH: i8 = 2;
const ANY: i8 = 1;
const SECURITY_DISABLED: i16 = 54;
/// The setting. Brokers list it where somebody set it, and keep its value to themselves: it is not Kafka's own but its authorizer's.
const SETTING: &str = "allow.everyone.if.no.acl.found";

/// What may be done to something without an ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Everyone {
    /// Everything, by everyone: the cluster has no authorizer.
    Unguarded,
    /// Everything, by everyone.
    Everything,
    /// Nothing, but by super users.
    Nothing,
}

impl Cluster {
    /// What may be done to something without an ACL, or why that cannot be told. `limited`: this login is known to lack some right, so it is no
    /// super user's. A group with a name that nobody has is looked at; looking makes none.
    pub async fn everyone(&self, limited: bool) -> Result<Result<Everyone, String>> {
        let group = format!("kafka-migrate-{}", uuid::Uuid::new_v4());
        let names = std::slice::from_ref(&group);
        if self.may_describe_groups(names).await?.get(&group) == Some(&Probe::Denied) {
            return Ok(Ok(Everyone::Nothing));
        }
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(GROUP)
            .with_resource_name_filter(Some(text(&group)))
            .with_pattern_type_filter(MATCH)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let conn = self.any().await?;
        let acls = self.ask(&conn, &request).await?;
        if acls.error_code == SECURITY_DISABLED {
            return Ok(Ok(Everyone::Unguarded));
        }
        // Where it is not set, it is false.
        let settings = self.broker_configs().await;
        if let Ok(settings) = &settings
            && !settings.iter().any(|entry| entry.name == SETTING)
        {
            return Ok(Ok(Everyone::Nothing));
        }
        if acls.error_code != 0 {
            return Ok(Err(format!(
                "the {} does not show its ACLs to this login",
                self.side()
            )));
        }
        if acls.resources.iter().any(|one| !one.acls.is_empty()) {
            return Ok(Err(format!(
                "ACLs of the {} allow every group, so that none without an ACL can be tried, and brokers keep {SETTING} to themselves",
                self.side()
            )));
        }
        let told = self.cluster_rights().await?;
        let all = [
            Operation::Create,
            Operation::Alter,
            Operation::Describe,
            Operation::DescribeConfigs,
            Operation::AlterConfigs,
            Operation::IdempotentWrite,
        ];
        let limited = limited || told.is_some_and(|has| all.iter().any(|one| !has.contains(one)));
        Ok(match limited {
            true => Ok(Everyone::Everything),
            false => Err(format!(
                "this login may do everything on the {}, as a super user may, and brokers keep {SETTING} to themselves",
                self.side()
            )),
        })
    }
}
