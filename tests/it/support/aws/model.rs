//! AWS's published service models, as they lie in `models/`: operations, their routes, and the shapes they take and answer.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Method and path say the operation; the body is JSON.
    RestJson,
    /// `X-Amz-Target` says the operation; the body is JSON.
    Json,
    /// A form says the operation; the answer is XML.
    Query,
    /// The path says the operation; the body is CBOR.
    Cbor,
}

/// One service.
#[derive(Debug)]
pub struct Service {
    /// As the model's file is called.
    pub name: &'static str,
    /// As signatures name it.
    pub signing_name: &'static str,
    pub protocol: Protocol,
    pub model: Model,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub name: String,
    pub http: Http,
    pub input: Member,
    pub output: Option<Member>,
    #[serde(default)]
    pub errors: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    pub response_code: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Structure,
    List,
    Map,
    String,
    Blob,
    Boolean,
    Integer,
    Long,
    Double,
    Timestamp,
}

/// A shape. What its model says and this does not know is a failure, not an oversight.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
    #[serde(default)]
    pub required: Vec<String>,
    /// Of a list.
    pub member: Option<Member>,
    /// Of a map.
    pub key: Option<Member>,
    /// Of a map.
    pub value: Option<Member>,
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
    pub pattern: Option<String>,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub timestamp_format: Option<String>,
    pub error: Option<ErrorTraits>,
    /// Of an error: the service's, not the caller's.
    #[serde(default)]
    pub fault: bool,
    // Known, and without meaning here.
    #[serde(default, rename = "exception")]
    _exception: bool,
    #[serde(default, rename = "sensitive")]
    _sensitive: bool,
    #[serde(default, rename = "synthetic")]
    _synthetic: bool,
    #[serde(default, rename = "xmlOrder")]
    _xml_order: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTraits {
    pub http_status_code: Option<u16>,
    /// What older protocols call it.
    pub code: Option<String>,
}

/// Where a member travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    Uri,
    Querystring,
}

/// A use of a shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    pub location: Option<Location>,
    pub location_name: Option<String>,
    /// Of a query protocol's answer: the element around it.
    pub result_wrapper: Option<String>,
    // Known, and without meaning here.
    #[serde(default, rename = "idempotencyToken")]
    _idempotency_token: bool,
    #[serde(default, rename = "box")]
    _boxed: bool,
    #[serde(default, rename = "deprecated")]
    _deprecated: bool,
    #[serde(default, rename = "deprecatedMessage")]
    _deprecated_message: String,
}

impl Member {
    /// What the member called `name` in the model is called on the wire.
    pub fn wire<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

impl Service {
    pub fn shape(&self, name: &str) -> &Shape {
        self.model
            .shapes
            .get(name)
            .unwrap_or_else(|| panic!("{} has no shape {name}", self.name))
    }

    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.model.operations.get(name)
    }

    /// The operation of a method and a path, and the path's labels, still encoded.
    pub fn route(&self, method: &str, path: &str) -> Option<(&Operation, Vec<(String, String)>)> {
        self.model.operations.values().find_map(|operation| {
            if operation.http.method != method {
                return None;
            }
            let template: Vec<&str> = operation.http.request_uri.split('/').collect();
            let segments: Vec<&str> = path.split('/').collect();
            if template.len() != segments.len() {
                return None;
            }
            let mut labels = Vec::new();
            for (wanted, found) in template.iter().zip(segments) {
                if let Some(label) = wanted.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                    if found.is_empty() {
                        return None;
                    }
                    labels.push((label.to_owned(), found.to_owned()));
                } else if *wanted != found {
                    return None;
                }
            }
            Some((operation, labels))
        })
    }

    /// The error shape that a code means, by its own name or by the one that older protocols use.
    pub fn error(&self, code: &str) -> Option<&Shape> {
        self.model.shapes.get(code).or_else(|| {
            self.model.shapes.values().find(|shape| {
                let error = shape.error.as_ref();
                error.and_then(|error| error.code.as_deref()) == Some(code)
            })
        })
    }
}

/// All services that the fake offers.
pub fn services() -> &'static [Service] {
    static SERVICES: OnceLock<Vec<Service>> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let read = |name, signing_name, protocol, text| Service {
            name,
            signing_name,
            protocol,
            model: serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("models/{name}.json: {error}")),
        };
        vec![
            read(
                "kafka",
                "kafka",
                Protocol::RestJson,
                include_str!("models/kafka.json"),
            ),
            read(
                "secretsmanager",
                "secretsmanager",
                Protocol::Json,
                include_str!("models/secretsmanager.json"),
            ),
            read(
                "cloudwatch",
                "monitoring",
                Protocol::Cbor,
                include_str!("models/cloudwatch.json"),
            ),
            read(
                "logs",
                "logs",
                Protocol::Json,
                include_str!("models/logs.json"),
            ),
            read(
                "sts",
                "sts",
                Protocol::Query,
                include_str!("models/sts.json"),
            ),
        ]
    })
}

/// The service that a signature names.
pub fn signed_for(signing_name: &str) -> Option<&'static Service> {
    services()
        .iter()
        .find(|service| service.signing_name == signing_name)
}
