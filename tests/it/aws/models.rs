//! The models themselves: every pattern compiles, every operation is served under its route, and CBOR is what it is.

use serde_json::json;

use crate::support::aws::{
    model::{Kind, services},
    validate::{Why, matches_whole, misfits},
};

#[test]
fn every_pattern_compiles_and_every_reference_leads_somewhere() {
    let mut patterns = 0;
    for service in services() {
        assert!(!service.model.operations.is_empty(), "{}", service.name);
        for operation in service.model.operations.values() {
            service.shape(&operation.input.shape);
            for error in &operation.errors {
                assert_eq!(service.shape(&error.shape).kind, Kind::Structure);
            }
        }
        for shape in service.model.shapes.values() {
            let uses = shape.members.values();
            for member in uses
                .chain(&shape.member)
                .chain(&shape.key)
                .chain(&shape.value)
            {
                service.shape(&member.shape);
            }
            if let Some(pattern) = &shape.pattern {
                matches_whole(pattern, "text");
                patterns += 1;
            }
        }
    }
    assert!(patterns > 10, "{patterns} patterns");
}

#[test]
fn a_value_that_does_not_fit_is_told_where_and_why() {
    let kafka = services()
        .iter()
        .find(|service| service.name == "kafka")
        .expect("it is there");
    let found = misfits(
        kafka,
        "CreateReplicatorRequest",
        &json!({
            "replicatorName": "no_underscore",
            "description": "x".repeat(1025),
            "kafkaClusters": [{ "vpcConfig": { "subnetIds": "subnet-1" }, "Kind": 1 }],
            "replicationInfoList": [{
                "targetCompressionType": "BROTLI",
                "topicReplication": { "topicsToReplicate": ["x".repeat(250)] },
                "consumerGroupReplication": { "consumerGroupsToReplicate": [] },
            }],
        }),
    );
    let mut found: Vec<(&str, &Why)> = found.iter().map(|one| (&*one.path, &one.why)).collect();
    found.sort_by_key(|(path, _)| path.to_owned());
    assert!(
        matches!(
            found[..],
            [
                ("description", Why::TooLong(1024)),
                ("kafkaClusters[0].Kind", Why::Unknown),
                ("kafkaClusters[0].vpcConfig.subnetIds", Why::Type("list")),
                ("replicationInfoList[0].targetCompressionType", Why::Enum(_)),
                (
                    "replicationInfoList[0].topicReplication.topicsToReplicate[0]",
                    Why::TooLong(249)
                ),
                ("replicatorName", Why::Pattern(_)),
                ("serviceExecutionRoleArn", Why::Missing),
            ]
        ),
        "{found:#?}"
    );
}
