//! From a request to an operation and its input, and from an output or a refusal to an answer, in each service's protocol.

use serde_json::{Map, Value};

use super::{
    cbor,
    http::{Request, Response, decode, pairs},
    model::{Kind, Location, Operation, Protocol, Service},
    refusal::{Refusal, Trouble},
    validate::{Misfit, Why},
};

/// The operation that a request is for, and its input under the names of the wire, not yet held against the model.
pub fn decode_request<'a>(
    service: &'a Service,
    request: &Request,
) -> Result<(&'a Operation, Value), Refusal> {
    let unknown = || Refusal::trouble(service, &Trouble::NoSuchOperation);
    match service.protocol {
        Protocol::RestJson => {
            let (operation, labels) = service
                .route(&request.method, &request.path)
                .ok_or_else(unknown)?;
            let mut input = object(service, &request.body, |bytes| {
                serde_json::from_slice(bytes).ok()
            })?;
            outside(service, operation, &labels, &request.query, &mut input)?;
            Ok((operation, Value::from(input)))
        }
        Protocol::Json => {
            let target = request.header("x-amz-target").unwrap_or_default();
            let (prefix, name) = target.split_once('.').unwrap_or_default();
            let right = service.model.metadata.target_prefix.as_deref() == Some(prefix)
                && request.header("content-type") == Some("application/x-amz-json-1.1");
            let operation = service
                .operation(name)
                .filter(|_| right)
                .ok_or_else(unknown)?;
            let input = object(service, &request.body, |bytes| {
                serde_json::from_slice(bytes).ok()
            })?;
            Ok((operation, Value::from(input)))
        }
        Protocol::Query => {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let mut input: Map<String, Value> = pairs(&form, true)
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, Value::from(value)))
                .collect();
            input.remove("Version");
            let action = input.remove("Action");
            let name = action.as_ref().and_then(Value::as_str).unwrap_or_default();
            let operation = service.operation(name).ok_or_else(unknown)?;
            Ok((operation, Value::from(input)))
        }
        Protocol::Cbor => {
            let prefix = service
                .model
                .metadata
                .target_prefix
                .as_deref()
                .unwrap_or_default();
            let name = request
                .path
                .strip_prefix(&format!("/service/{prefix}/operation/"))
                .filter(|_| request.header("smithy-protocol") == Some("rpc-v2-cbor"));
            let operation = name
                .and_then(|name| service.operation(name))
                .ok_or_else(unknown)?;
            let input = object(service, &request.body, cbor::read)?;
            Ok((operation, Value::from(input)))
        }
    }
}

fn object(
    service: &Service,
    body: &[u8],
    read: impl Fn(&[u8]) -> Option<Value>,
) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match read(body) {
        Some(Value::Object(object)) => Ok(object),
        _ if service.name == "kafka" => Err(Refusal::of(
            "BadRequestException",
            "The request body cannot be read.",
        )),
        _ => Err(Refusal::of(
            "SerializationException",
            "The request body cannot be read.",
        )),
    }
}

/// Adds what stands in the path and behind the question mark.
fn outside(
    service: &Service,
    operation: &Operation,
    labels: &[(String, String)],
    query: &str,
    input: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let members = &service.shape(&operation.input.shape).members;
    let find = |location: Location, wire: &str| {
        members
            .iter()
            .find(|(name, member)| member.location == Some(location) && member.wire(name) == wire)
            .map(|(_, member)| &member.shape)
    };
    let misfit = |wire: &str, why: Why| {
        let path = wire.to_owned();
        Refusal::misfits(service, &[Misfit { path, why }])
    };
    // What belongs outside is unknown inside.
    let stray = members.iter().find_map(|(name, member)| {
        let wire = member.wire(name);
        (member.location.is_some() && input.contains_key(wire)).then_some(wire)
    });
    if let Some(wire) = stray {
        return Err(misfit(wire, Why::Unknown));
    }
    let typed = |shape: &str, text: String| match service.shape(shape).kind {
        Kind::Integer | Kind::Long => text.parse::<i64>().map_or(Value::from(text), Value::from),
        Kind::Boolean => text.parse::<bool>().map_or(Value::from(text), Value::from),
        _ => Value::from(text),
    };
    for (label, value) in labels {
        let shape = find(Location::Uri, label).ok_or_else(|| misfit(label, Why::Unknown))?;
        let value = decode(value, false).ok_or_else(|| misfit(label, Why::Type("string")))?;
        input.insert(label.clone(), typed(shape, value));
    }
    for (name, value) in pairs(query, false).unwrap_or_default() {
        let shape =
            find(Location::Querystring, &name).ok_or_else(|| misfit(&name, Why::Unknown))?;
        if service.shape(shape).kind == Kind::List {
            let list = input
                .entry(name)
                .or_insert_with(|| Value::from(Vec::<Value>::new()));
            list.as_array_mut()
                .expect("only lists are put there")
                .push(Value::from(value));
        } else {
            input.insert(name, typed(shape, value));
        }
    }
    Ok(())
}

/// The answer of an operation that was done. The output fits its shape.
pub fn encode_output(service: &Service, operation: &Operation, output: &Value) -> Response {
    let status = operation.http.response_code.unwrap_or(200);
    let Some(shape) = &operation.output else {
        let body = match service.protocol {
            Protocol::Json => b"{}".to_vec(),
            _ => Vec::new(),
        };
        return response(service, status, body);
    };
    let body = match service.protocol {
        Protocol::RestJson | Protocol::Json => output.to_string().into_bytes(),
        Protocol::Cbor => {
            let mut bytes = Vec::new();
            cbor::write(service, &shape.shape, output, &mut bytes);
            bytes
        }
        Protocol::Query => {
            let namespace = service.model.metadata.xml_namespace.as_deref();
            let wrapper = shape.result_wrapper.as_deref().unwrap_or("Result");
            let members: String = output
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| {
                    let value = value.as_str().unwrap_or_default();
                    format!("<{name}>{}</{name}>", escaped(value))
                })
                .collect();
            format!(
                "<{name}Response xmlns=\"{}\"><{wrapper}>{members}</{wrapper}><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{name}Response>",
                namespace.unwrap_or_default(),
                uuid::Uuid::new_v4(),
                name = operation.name,
            )
            .into_bytes()
        }
    };
    response(service, status, body)
}

/// The answer of an operation that was refused.
pub fn encode_refusal(service: &Service, refusal: &Refusal) -> Response {
    let status = refusal.status(service);
    let Refusal { code, message, .. } = refusal;
    // What stands before the service itself writes its messages with a capital.
    let modelled = service.error(code).is_some();
    match service.protocol {
        Protocol::RestJson => {
            let mut body = Map::new();
            let key = if modelled { "message" } else { "Message" };
            body.insert(key.to_owned(), Value::from(message.as_str()));
            if let Some(parameter) = &refusal.parameter {
                body.insert("invalidParameter".to_owned(), Value::from(&**parameter));
            }
            let body = Value::from(body).to_string().into_bytes();
            let mut answer = response(service, status, body);
            answer.headers.push(("x-amzn-errortype", code.clone()));
            answer
        }
        Protocol::Json => {
            let key = if service.name == "secretsmanager" && modelled {
                "Message"
            } else {
                "message"
            };
            let body = serde_json::json!({ "__type": code, key: message });
            response(service, status, body.to_string().into_bytes())
        }
        Protocol::Cbor => {
            let shape = service.model.shapes.iter().find(|(name, shape)| {
                let old = shape.error.as_ref().and_then(|error| error.code.as_deref());
                *name == code || old == Some(code)
            });
            let name = shape.map_or(code.as_str(), |(name, _)| name);
            let old = shape
                .and_then(|(_, shape)| shape.error.as_ref()?.code.as_deref())
                .unwrap_or(code);
            let who = if status < 500 { "Sender" } else { "Receiver" };
            let body = cbor::error(&format!("com.amazonaws.cloudwatch#{name}"), message);
            let mut answer = response(service, status, body);
            let header = ("x-amzn-query-error", format!("{old};{who}"));
            answer.headers.push(header);
            answer
        }
        Protocol::Query => {
            let who = if status < 500 { "Sender" } else { "Receiver" };
            let body = format!(
                "<ErrorResponse xmlns=\"{}\"><Error><Type>{who}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
                service
                    .model
                    .metadata
                    .xml_namespace
                    .as_deref()
                    .unwrap_or_default(),
                escaped(message),
                uuid::Uuid::new_v4(),
            );
            response(service, status, body.into_bytes())
        }
    }
}

fn response(service: &Service, status: u16, body: Vec<u8>) -> Response {
    let kind = match service.protocol {
        Protocol::RestJson => "application/json",
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
        Protocol::Cbor => "application/cbor",
    };
    let mut headers = vec![
        ("content-type", kind.to_owned()),
        ("x-amzn-requestid", uuid::Uuid::new_v4().to_string()),
    ];
    if service.protocol == Protocol::Cbor {
        headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
    }
    Response {
        status,
        headers,
        body,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
