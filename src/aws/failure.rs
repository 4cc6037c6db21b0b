//! Turns a call that AWS did not answer into what a person reads: the trouble by name, its causes, what to do.
//!
//! What AWS says is shown in one line at most: of a signature that does not fit it shows all that was signed, session tokens included.

mod trouble;

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kafka::error::{ProvideErrorMetadata, SdkError};

use self::trouble::Trouble;
use crate::{error::Failure, exit::Exit, model::connection::NoToken};

/// The command that shows whose credentials there are.
const WHO: &str = "aws sts get-caller-identity";
/// The longest that is shown of what AWS says.
const LONGEST: usize = 600;

/// What was asked of AWS.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The action by IAM's name, such as `kafka:CreateReplicator`.
    pub action: &'static str,
    /// The ARN or the name of what it was asked for; none where it is about none.
    pub resource: Option<&'a str>,
    /// The region, where it is known.
    pub region: Option<&'a str>,
}

impl Asked<'_> {
    /// An action, about nothing in particular.
    pub fn to(action: &'static str) -> Self {
        Self {
            action,
            resource: None,
            region: None,
        }
    }
}

impl<'a> Asked<'a> {
    /// The same, about this.
    #[must_use]
    pub fn on(self, resource: &'a str) -> Self {
        Self {
            resource: Some(resource),
            ..self
        }
    }

    /// By the name that people know the service by.
    fn service(&self) -> &'static str {
        match self.action.split(':').next() {
            Some("kafka") => "Amazon MSK",
            Some("secretsmanager") => "Secrets Manager",
            Some("cloudwatch") => "CloudWatch",
            Some("logs") => "CloudWatch Logs",
            _ => "AWS",
        }
    }

    /// The call, without its service.
    fn call(&self) -> &'static str {
        self.action.rsplit(':').next().unwrap_or(self.action)
    }

    fn on_what(&self) -> String {
        self.resource
            .map(|resource| format!(" of {resource}"))
            .unwrap_or_default()
    }
}

/// What is known of a call that failed, apart from what was asked.
#[derive(Debug, Default)]
struct Seen {
    trouble: Option<Trouble>,
    code: Option<String>,
    status: Option<u16>,
    message: Option<String>,
    parameter: Option<String>,
    request: Option<String>,
    causes: Vec<String>,
}

/// A call that failed, as a person reads it. `caller` is the ARN of who we are, where that is known.
pub fn of<E>(asked: &Asked<'_>, caller: Option<&str>, error: &SdkError<E>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    told(asked, caller, &seen(error))
}

/// An answer without what it always has.
pub(super) fn lacks(action: &'static str, what: &str) -> Failure {
    let seen = Seen {
        trouble: Some(Trouble::Unreadable),
        causes: vec![format!("the answer has no {what}")],
        ..Seen::default()
    };
    told(&Asked::to(action), None, &seen)
}

/// Is it a right that is missing?
pub fn is_denied<E>(error: &SdkError<E>) -> bool
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    seen(error).trouble == Some(Trouble::Denied)
}

/// Does this say that a right is missing?
pub fn is_of_rights(failure: &Failure) -> bool {
    failure.code == Trouble::Denied.code()
}

/// Why there are no credentials to make a token of.
pub(super) fn no_credentials(error: &CredentialsError) -> NoToken {
    let trouble = of_credentials(error);
    let seen = Seen {
        trouble: Some(trouble),
        causes: chain(error),
        ..Seen::default()
    };
    NoToken {
        failure: told(&Asked::to("sts:GetCallerIdentity"), None, &seen),
        passing: trouble.is_passing(),
    }
}

/// Why credentials are not to be had.
fn of_credentials(error: &CredentialsError) -> Trouble {
    let words = chain(error).join(" ").to_lowercase();
    match error {
        _ if words.contains("expired") => Trouble::Expired,
        CredentialsError::InvalidConfiguration(_) => Trouble::Misconfigured,
        CredentialsError::ProviderTimedOut(_) => Trouble::Unreachable,
        CredentialsError::CredentialsNotLoaded(_) => Trouble::NoCredentials,
        _ if words.contains("dispatch failure") || words.contains("timeout") => {
            Trouble::Unreachable
        }
        _ => Trouble::NoCredentials,
    }
}

fn seen<E>(error: &SdkError<E>) -> Seen
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let Some(error) = within::<CredentialsError>(error) {
        return Seen {
            trouble: Some(of_credentials(error)),
            causes: chain(error),
            ..Seen::default()
        };
    }
    let answer = error.raw_response();
    let header = |name| answer.and_then(|answer| answer.headers().get(name));
    let request = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
    let request = request.map(str::to_owned);
    let status = answer.map(|answer| answer.status().as_u16());
    let without_answer = |trouble| Seen {
        trouble: Some(trouble),
        status,
        request: request.clone(),
        causes: error.source().map(chain).unwrap_or_default(),
        ..Seen::default()
    };
    match error {
        SdkError::ServiceError(service) => {
            let body = service.raw().body().bytes().unwrap_or_default();
            let object: Option<serde_json::Value> = serde_json::from_slice(body).ok();
            let parameter = object
                .as_ref()
                .and_then(|object| object.get("invalidParameter"))
                .and_then(serde_json::Value::as_str);
            let metadata = service.err().meta();
            let message = metadata.message().map(one_line);
            let trouble = Trouble::of(
                metadata.code(),
                status.unwrap_or(0),
                metadata.message().unwrap_or_default(),
            );
            Seen {
                trouble: Some(trouble),
                code: metadata.code().map(str::to_owned),
                status,
                message,
                parameter: parameter.filter(|name| !name.is_empty()).map(one_line),
                request,
                causes: Vec::new(),
            }
        }
        SdkError::ResponseError(_) if status.is_some_and(|status| status >= 500) => {
            without_answer(Trouble::Service)
        }
        SdkError::ResponseError(_) => without_answer(Trouble::Unreadable),
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => {
            without_answer(Trouble::Unreachable)
        }
        _ => without_answer(Trouble::Other),
    }
}

/// The first error of a kind among those behind an error.
fn within<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The errors behind one another, a line each.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let line = one_line(&error.to_string());
        if !line.is_empty() && lines.last() != Some(&line) {
            lines.push(line);
        }
        next = error.source();
    }
    lines
}

fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let plain = line.chars().filter(|letter| !letter.is_control());
    plain.take(LONGEST).collect()
}

/// What AWS says of a right that is missing: who, what, on what.
fn denied(message: &str) -> (Option<&str>, Option<&str>, Option<&str>) {
    let behind = |mark: &str| {
        let rest = message.split_once(mark)?.1;
        rest.split_whitespace().next()
    };
    (
        behind("User: "),
        behind("not authorized to perform: "),
        behind("on resource: "),
    )
}

fn told(asked: &Asked<'_>, caller: Option<&str>, seen: &Seen) -> Failure {
    let trouble = seen.trouble.unwrap_or(Trouble::Other);
    let (service, call, what) = (asked.service(), asked.call(), asked.on_what());
    let message = seen.message.as_deref().unwrap_or_default();
    let region = asked.region.unwrap_or("the region");
    let sentence = match trouble {
        Trouble::NoCredentials => "no AWS credentials were found".to_owned(),
        Trouble::Expired => "the AWS credentials have expired".to_owned(),
        Trouble::Misconfigured => "the settings of the AWS credentials cannot be used".to_owned(),
        Trouble::Refused => format!("{service} does not know the AWS credentials"),
        Trouble::Clock => {
            format!("{service} takes no request of a clock as wrong as this machine's")
        }
        Trouble::Denied => {
            let (who, action, _) = denied(message);
            format!(
                "{} may not {}{what}",
                who.or(caller).unwrap_or("whose credentials these are"),
                action.unwrap_or(asked.action)
            )
        }
        Trouble::Throttled => {
            format!("{service} asked us to slow down, and went on until we gave up")
        }
        Trouble::NotFound => match asked.resource {
            // What is to be made is not what it did not find.
            Some(resource) if !call.starts_with("Create") => {
                format!("{service} knows no {resource} in {region}")
            }
            _ => format!("{service} did not find what {call} is about"),
        },
        Trouble::Taken => {
            format!("{service} refused {call}{what}: there is one already, or it is being changed")
        }
        Trouble::BadRequest => match &seen.parameter {
            Some(parameter) => format!("{service} refused {call}{what}: it dislikes `{parameter}`"),
            None => format!("{service} refused {call}{what}"),
        },
        Trouble::Quota => {
            format!("{service} refused {call}{what}: the account has as much as it may")
        }
        Trouble::Service => format!("{service} failed at {call}{what}"),
        Trouble::Unreachable => format!("{service} cannot be reached in {region}"),
        Trouble::Unreadable => format!("what answers for {service} cannot be understood"),
        Trouble::Other => {
            format!("{service} refused {call}{what} for a reason without a name here")
        }
    };
    let mut failure = Failure::new(Exit::Aws, trouble.code(), sentence);
    for cause in &seen.causes {
        failure = failure.cause(cause.clone());
    }
    if let Some(answer) = answer(seen) {
        failure = failure.cause(answer);
    }
    advised(failure, trouble, asked, message)
}

/// What was answered, in a line that a person can give to AWS's support.
fn answer(seen: &Seen) -> Option<String> {
    let status = seen.status.map(|status| format!("HTTP {status}"));
    let request = seen
        .request
        .as_ref()
        .map(|request| format!("request {request}"));
    let around: Vec<String> = status.into_iter().chain(request).collect();
    let code = seen.code.as_deref().unwrap_or("no code");
    match (&seen.message, around.is_empty()) {
        (None, true) => None,
        (None, false) => Some(format!("{code} ({})", around.join(", "))),
        (Some(message), true) => Some(format!("{code}: {message}")),
        (Some(message), false) => Some(format!("{code}: {message} ({})", around.join(", "))),
    }
}

/// With what to do, and the command to run next.
fn advised(failure: Failure, trouble: Trouble, asked: &Asked<'_>, message: &str) -> Failure {
    match trouble {
        Trouble::NoCredentials => failure
            .hint("log in with `aws sso login`, set AWS_PROFILE or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run this where a role is attached")
            .next(WHO),
        Trouble::Expired => failure
            .hint("log in again, or have the session in the variables AWS_… made anew; the same command goes on then")
            .next("aws sso login"),
        Trouble::Misconfigured => failure
            .hint("look at AWS_PROFILE and at the profiles in ~/.aws/config: the causes name what is wrong")
            .next("aws configure list"),
        Trouble::Refused => failure
            .hint("was the key deleted, is it of another partition (aws, aws-cn, aws-us-gov), or do the variables AWS_… hold parts of two?")
            .next(WHO),
        Trouble::Clock => failure
            .hint("set this machine's clock by NTP: AWS takes requests that are off by five minutes at most")
            .next("timedatectl status"),
        Trouble::Denied => right(failure, asked, message).next(WHO),
        Trouble::Throttled if asked.action == "kafka:CreateReplicator" => failure
            .hint("others in this account may be asking the same; it can also mean that there are as many replicators as there may be, 15 a region"),
        Trouble::Throttled => failure.hint("others in this account may be asking the same: try again in some minutes"),
        Trouble::NotFound => failure
            .hint("was it deleted, or is it in another region or account?")
            .next(WHO),
        Trouble::Taken | Trouble::Other => failure,
        Trouble::BadRequest => failure.hint("the cause below says what is wrong with it, in AWS's words"),
        Trouble::Quota => failure.hint("remove what is not needed any more, or have the quota raised in Service Quotas"),
        Trouble::Service => failure.hint("it is AWS's own trouble: try again in some minutes; status is at https://health.aws.amazon.com"),
        Trouble::Unreachable => failure
            .hint("is there a way out from here (VPN, proxy, an interface endpoint in the VPC), and is the region the right one?")
            .hint("AWS_ENDPOINT_URL and its likes, if set, name where else to ask"),
        Trouble::Unreadable => failure
            .hint("is something in between, such as a proxy that wants a login, or does AWS_ENDPOINT_URL name something else?"),
    }
}

/// The statement that gives what is missing.
fn right(failure: Failure, asked: &Asked<'_>, message: &str) -> Failure {
    if message.contains("explicit deny") {
        return failure
            .hint("a policy denies it outright, so that no other can allow it: the cause names which kind of policy");
    }
    let (_, action, resource) = denied(message);
    let resource = resource.or(asked.resource).unwrap_or("*");
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": action.unwrap_or(asked.action),
        "Resource": if resource.contains(':') { resource } else { "*" },
    });
    failure.hint(format!(
        "have this statement added to what they may: {statement}"
    ))
}

#[cfg(test)]
mod tests;
