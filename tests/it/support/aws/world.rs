//! All that the fake holds, region by region, and the way of a request through it: model, service, model again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    ACCOUNT, REGION, Recorded, USER,
    clusters::Clusters,
    desk::{Answer, Desk},
    faults::Script,
    http::Response,
    limits,
    logs::Logs,
    metrics::Metrics,
    model::{Operation, Service},
    refusal::{Refusal, Trouble},
    replicators::{Around, Replicators, Turn},
    secrets::Secrets,
    validate::{misfits, without_nulls},
};

/// What one region holds.
#[derive(Debug, Default)]
pub struct Region {
    pub clusters: Clusters,
    pub replicators: Replicators,
    pub secrets: Secrets,
    pub metrics: Metrics,
    pub logs: Logs,
}

#[derive(Debug)]
pub struct World {
    pub desk: Desk,
    regions: BTreeMap<String, Region>,
    pub script: Script,
    pub record: Vec<Recorded>,
    /// Answers of ours that AWS's models do not have.
    pub wrong: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        Self {
            desk: Desk::new(),
            regions: BTreeMap::new(),
            script: Script::default(),
            record: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn at(&mut self, region: &str) -> (&mut Region, &mut Desk) {
        region.clone_into(&mut self.desk.region);
        let region = self.regions.entry(region.to_owned()).or_default();
        (region, &mut self.desk)
    }

    /// The region in which a test's clusters are.
    pub fn at_home(&mut self) -> (&mut Region, &mut Desk) {
        self.at(REGION)
    }

    /// Everything that time alone brings about.
    pub fn settle(&mut self) {
        let desk = &mut self.desk;
        for region in self.regions.values_mut() {
            region.secrets.settle(desk);
            let around = Around {
                clusters: &region.clusters,
                secrets: &region.secrets,
                logs: &region.logs,
            };
            region.replicators.settle(&around, desk);
        }
    }

    /// What the carrier was not told of yet.
    pub fn turns(&mut self) -> Vec<Turn> {
        self.regions
            .values_mut()
            .flat_map(|region| region.replicators.turns.drain(..))
            .collect()
    }

    pub fn note(
        &mut self,
        service: &'static Service,
        operation: &str,
        region: &str,
        input: Value,
        answer: Result<Value, String>,
    ) {
        self.record.push(Recorded {
            service: service.name,
            operation: operation.to_owned(),
            region: region.to_owned(),
            input,
            answer,
        });
    }

    /// Does what was asked, if it fits the model; the answer does.
    pub fn perform(
        &mut self,
        service: &'static Service,
        operation: &Operation,
        region: &str,
        input: &Value,
    ) -> Answer {
        let found = misfits(service, &operation.input.shape, input);
        if !found.is_empty() {
            return Err(Refusal::misfits(service, &found));
        }
        self.settle();
        let (region, desk) = self.at(region);
        let output = without_nulls(act(region, desk, service, operation, input)?);
        if let Some(shape) = &operation.output {
            let found = misfits(service, &shape.shape, &output);
            if !found.is_empty() {
                let what: Vec<String> = found.iter().map(ToString::to_string).collect();
                let wrong = format!("{}: {}", operation.name, what.join("; "));
                self.wrong.push(wrong);
                return Err(Refusal::trouble(service, &Trouble::Broken));
            }
        }
        Ok(output)
    }
}

fn act(
    region: &mut Region,
    desk: &mut Desk,
    service: &Service,
    operation: &Operation,
    input: &Value,
) -> Answer {
    let Region {
        clusters,
        replicators,
        secrets,
        metrics,
        logs,
    } = region;
    match (service.name, operation.name.as_str()) {
        ("kafka", "DescribeClusterV2") => clusters.describe(input),
        ("kafka", "ListClustersV2") => clusters.list(desk, input),
        ("kafka", "GetBootstrapBrokers") => clusters.bootstrap(input),
        ("kafka", "DescribeConfiguration") => clusters.configuration(input),
        ("kafka", "DescribeConfigurationRevision") => clusters.revision(input),
        ("kafka", "TagResource" | "UntagResource" | "ListTagsForResource") => {
            tags(clusters, replicators, &operation.name, input)
        }
        ("kafka", name) => {
            let around = Around {
                clusters,
                secrets,
                logs,
            };
            match name {
                "CreateReplicator" => replicators.create(&around, desk, input),
                "DescribeReplicator" => replicators.describe(input),
                "ListReplicators" => replicators.list(desk, input),
                "UpdateReplicationInfo" => replicators.update(&around, desk, input),
                "DeleteReplicator" => replicators.delete(desk, input),
                other => panic!("the fake has no {other}"),
            }
        }
        ("secretsmanager", name) => match name {
            "CreateSecret" => secrets.create(desk, input),
            "DescribeSecret" => secrets.describe(input),
            "GetSecretValue" => secrets.value(input),
            "PutSecretValue" => secrets.put(desk, input),
            "UpdateSecret" => secrets.update(desk, input),
            "DeleteSecret" => secrets.delete(desk, input),
            "RestoreSecret" => secrets.restore(input),
            "TagResource" => secrets.tag(input),
            "ListSecrets" => secrets.list(desk, input),
            other => panic!("the fake has no {other}"),
        },
        ("cloudwatch", "GetMetricData") => metrics.data(desk, input),
        ("cloudwatch", "ListMetrics") => metrics.list(desk, input),
        ("logs", "DescribeLogGroups") => logs.groups(desk, input),
        ("logs", "FilterLogEvents") => logs.filter(desk, input),
        ("sts", "GetCallerIdentity") => Ok(json!({
            "Account": ACCOUNT,
            "UserId": "AIDAEXAMPLEMIGRATOR1",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{USER}"),
        })),
        (service, other) => panic!("the fake has no {service} {other}"),
    }
}

/// Tags of clusters and replicators, by ARN.
fn tags(
    clusters: &mut Clusters,
    replicators: &mut Replicators,
    operation: &str,
    input: &Value,
) -> Answer {
    let arn = input["resourceArn"].as_str().unwrap_or_default();
    let tags = clusters.tags_of(arn).or_else(|| replicators.tags_of(arn));
    let tags = tags.ok_or_else(|| {
        Refusal::of(
            "NotFoundException",
            format!("The resource {arn} is not found."),
        )
    })?;
    match operation {
        "TagResource" => {
            limits::tags(&input["tags"])?;
            for (key, value) in input["tags"].as_object().into_iter().flatten() {
                let value = value.as_str().unwrap_or_default();
                tags.insert(key.clone(), value.to_owned());
            }
        }
        "UntagResource" => {
            for key in super::desk::texts(&input["tagKeys"]) {
                tags.remove(key);
            }
        }
        _ => return Ok(json!({ "tags": tags })),
    }
    Ok(Value::Null)
}

fn plain(code: &str, message: &str) -> Response {
    Response {
        status: 403,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-amzn-errortype", code.to_owned()),
        ],
        body: json!({ "message": message }).to_string().into_bytes(),
    }
}

/// What a request without a signature gets.
pub fn unsigned() -> Response {
    plain(
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )
}

/// What a request for a service gets that the fake does not have.
pub fn no_service(name: &str) -> Response {
    plain(
        "UnrecognizedService",
        &format!("The fake has no service {name}."),
    )
}
