//! Refusals: what a service answers instead of doing what was asked, under the code and status that its protocol has for it.

use super::{
    model::{Protocol, Service},
    validate::{Misfit, Why},
};

/// An error to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    /// Of Amazon MSK's: which parameter it disliked.
    pub parameter: Option<String>,
    /// Where no model says it.
    pub status: Option<u16>,
}

impl Refusal {
    /// An error that the service's model has.
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            parameter: None,
            status: None,
        }
    }

    /// Amazon MSK dislikes a parameter.
    pub fn parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self {
            parameter: Some(parameter.to_owned()),
            ..Self::of("BadRequestException", message)
        }
    }

    /// What does not fit the model, the first of it by name.
    pub fn misfits(service: &Service, misfits: &[Misfit]) -> Self {
        let first = misfits.first().expect("there is one");
        let message: Vec<String> = misfits.iter().map(ToString::to_string).collect();
        let message = message.join("; ");
        let of_type = matches!(first.why, Why::Type(_));
        match (service.name, of_type) {
            ("kafka", _) => Self::parameter(first.parameter(), message),
            ("logs", false) => Self::of("InvalidParameterException", message),
            ("cloudwatch" | "sts", _) => Self::of("ValidationError", message),
            (_, true) => Self::of("SerializationException", message),
            (_, false) => Self::of("ValidationException", message),
        }
    }

    pub fn trouble(service: &Service, trouble: &Trouble) -> Self {
        let (code, status) = trouble.code(service.protocol);
        Self {
            status: Some(status),
            ..Self::of(code, trouble.message())
        }
    }

    /// The status of the answer.
    pub fn status(&self, service: &Service) -> u16 {
        let modelled = service.error(&self.code);
        let said = modelled
            .and_then(|shape| shape.error.as_ref())
            .and_then(|error| error.http_status_code);
        let faulty = modelled.is_some_and(|shape| shape.fault);
        self.status
            .or(said)
            .unwrap_or(if faulty { 500 } else { 400 })
    }
}

/// What any service can answer to anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody has this access key.
    UnknownKey,
    /// The session token has expired.
    ExpiredToken,
    /// Signed with another secret than the access key's.
    BadSignature,
    /// The user may not do this: `kafka:CreateReplicator`.
    Denied(String),
    Throttled,
    /// The service is broken.
    Broken,
    NoSuchOperation,
}

impl Trouble {
    fn code(&self, protocol: Protocol) -> (&'static str, u16) {
        use Protocol::{Cbor, Json, Query, RestJson};
        // What is wrong with the caller is 403 where a status says something, 400 where only the code does.
        let refused = if matches!(protocol, RestJson | Query) {
            403
        } else {
            400
        };
        match (self, protocol) {
            (Self::UnknownKey, Query | Cbor) => ("InvalidClientTokenId", 403),
            (Self::UnknownKey, _) => ("UnrecognizedClientException", refused),
            (Self::ExpiredToken, Query | Cbor) => ("ExpiredToken", 403),
            (Self::ExpiredToken, _) => ("ExpiredTokenException", refused),
            (Self::BadSignature, Query | Cbor) => ("SignatureDoesNotMatch", 403),
            (Self::BadSignature, _) => ("InvalidSignatureException", refused),
            (Self::Denied(_), Query | Cbor) => ("AccessDenied", 403),
            (Self::Denied(_), _) => ("AccessDeniedException", refused),
            (Self::Throttled, RestJson) => ("TooManyRequestsException", 429),
            (Self::Throttled, Json) => ("ThrottlingException", 400),
            (Self::Throttled, _) => ("Throttling", 400),
            (Self::Broken, RestJson) => ("InternalServerErrorException", 500),
            (Self::Broken, _) => ("InternalFailure", 500),
            (Self::NoSuchOperation, RestJson) => ("MissingAuthenticationTokenException", 403),
            (Self::NoSuchOperation, Query | Cbor) => ("InvalidAction", 400),
            (Self::NoSuchOperation, Json) => ("UnknownOperationException", 400),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::UnknownKey => "The security token included in the request is invalid.".to_owned(),
            Self::ExpiredToken => {
                "The security token included in the request is expired".to_owned()
            }
            Self::BadSignature => {
                "The request signature we calculated does not match the signature you provided."
                    .to_owned()
            }
            Self::Denied(action) => format!(
                "User: arn:aws:iam::{account}:user/{user} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
                account = super::ACCOUNT,
                user = super::USER,
            ),
            Self::Throttled => "Rate exceeded".to_owned(),
            Self::Broken => "An internal error occurred".to_owned(),
            Self::NoSuchOperation => "There is no such operation.".to_owned(),
        }
    }
}
