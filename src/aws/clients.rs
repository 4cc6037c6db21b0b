//! The clients of AWS's services, made of one configuration: credentials, endpoints and time-outs; patient with throttling, and saying so.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_kafka::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            FinalizerInterceptorContextRef, InterceptorContext,
        },
        retry::{ClassifyRetry, RetryAction},
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
};
use tokio::sync::OnceCell;

use super::failure::{self, Asked};
use crate::error::Failure;

/// Told of every attempt behind the first, in a line for people.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Tries of one call in all: with [`LONGEST_PAUSE`] between them throttling for minutes is waited out.
const ATTEMPTS: u32 = 25;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Tries in a row that had no answer, or a service's own trouble for one: then it is told rather than waited for.
const TROUBLES: u32 = 5;
/// The variable that says otherwise how often a call is tried.
const ATTEMPTS_VARIABLE: &str = "AWS_MAX_ATTEMPTS";
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(60);

/// A client for each service, all of one region and with the same credentials.
#[derive(Clone)]
pub struct Clients {
    /// The region.
    pub region: String,
    /// Amazon MSK.
    pub kafka: aws_sdk_kafka::Client,
    /// AWS Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Amazon CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Amazon CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// AWS Security Token Service.
    pub sts: aws_sdk_sts::Client,
    caller: Arc<OnceCell<Caller>>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clients of {}", self.region)
    }
}

/// Who we are to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account: String,
    /// The ARN of the user, or of the session of a role.
    pub arn: String,
}

/// Credentials from where AWS's own tools have them, and whatever else they are told: profiles, endpoints, FIPS. Nothing is asked yet.
pub(super) async fn config(region: &str) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .app_name(AppName::new(env!("CARGO_PKG_NAME")).expect("letters and a hyphen are allowed"))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .read_timeout(READ)
                .operation_attempt_timeout(ATTEMPT)
                .build(),
        );
    if std::env::var_os(ATTEMPTS_VARIABLE).is_none() {
        loader = loader.retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_PAUSE)
                .with_max_backoff(LONGEST_PAUSE),
        );
    }
    loader.load().await
}

impl Clients {
    /// Makes the clients; nothing is asked of AWS yet. `notice` is told when a call is tried again.
    pub async fn open(region: &str, notice: Option<Notice>) -> Self {
        Self::of(&config(region).await, region, notice)
    }

    /// The same from a configuration that is there.
    pub fn of(config: &SdkConfig, region: &str, notice: Option<Notice>) -> Self {
        // Each service has throttling and trouble of its own.
        macro_rules! client {
            ($service:ident, $name:literal) => {{
                let watch = Watch::new($name, notice.clone());
                let config = $service::config::Builder::from(config)
                    .interceptor(watch.clone())
                    .retry_classifier(watch)
                    .build();
                $service::Client::from_conf(config)
            }};
        }
        Self {
            region: region.to_owned(),
            kafka: client!(aws_sdk_kafka, "Amazon MSK"),
            secrets: client!(aws_sdk_secretsmanager, "Secrets Manager"),
            cloudwatch: client!(aws_sdk_cloudwatch, "CloudWatch"),
            logs: client!(aws_sdk_cloudwatchlogs, "CloudWatch Logs"),
            sts: client!(aws_sdk_sts, "AWS STS"),
            caller: Arc::default(),
        }
    }

    /// Who we are, asked once.
    pub async fn caller(&self) -> Result<Caller, Failure> {
        let asking = async {
            let asked = Asked::to("sts:GetCallerIdentity");
            let answer = self.sts.get_caller_identity().send().await;
            let answer = answer.map_err(|error| failure::of(&asked, None, &error))?;
            Ok(Caller {
                account: answer.account().unwrap_or_default().to_owned(),
                arn: answer.arn().unwrap_or_default().to_owned(),
            })
        };
        self.caller.get_or_try_init(|| asking).await.cloned()
    }

    /// A call that failed, as a person reads it. Where a right is missing, it says whose.
    pub async fn failed<E>(&self, asked: &Asked<'_>, error: &SdkError<E>) -> Failure
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let caller = match failure::is_denied(error) {
            true => self.caller().await.ok(),
            false => None,
        };
        let asked = Asked {
            region: asked.region.or(Some(&self.region)),
            ..*asked
        };
        failure::of(&asked, caller.as_ref().map(|caller| &*caller.arn), error)
    }
}

/// Sees every try of a service's calls: tells of those behind the first, and ends them where waiting is not what helps.
#[derive(Clone)]
struct Watch {
    service: &'static str,
    notice: Option<Notice>,
    /// Tries in a row without an answer of use, by whatever calls.
    troubles: Arc<AtomicU32>,
}

/// What is remembered of a call between its tries.
#[derive(Debug, Clone, Default)]
struct Tries {
    begun: u32,
    last: Option<&'static str>,
}

impl aws_smithy_types::config_bag::Storable for Tries {
    type Storer = aws_smithy_types::config_bag::StoreReplace<Self>;
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watch over {}", self.service)
    }
}

impl Watch {
    fn new(service: &'static str, notice: Option<Notice>) -> Self {
        Self {
            service,
            notice,
            troubles: Arc::default(),
        }
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "kafka-migrate"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.troubles.store(0, Ordering::Relaxed);
        config.interceptor_state().store_put(Tries::default());
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut tries = config.load::<Tries>().cloned().unwrap_or_default();
        tries.begun += 1;
        if let (Some(notice), Some(last), 2..) = (&self.notice, tries.last, tries.begun) {
            notice(&format!("{} {last}: try {}", self.service, tries.begun));
        }
        config.interceptor_state().store_put(tries);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut tries = config.load::<Tries>().cloned().unwrap_or_default();
        let (last, is_trouble) = match context.response() {
            None => ("does not answer", true),
            Some(answer) if is_throttling(answer) => ("asks us to slow down", false),
            Some(answer) if answer.status().as_u16() >= 500 => ("has trouble of its own", true),
            Some(_) => ("wants to be asked again", false),
        };
        tries.last = Some(last);
        match is_trouble {
            true => self.troubles.fetch_add(1, Ordering::Relaxed),
            false => self.troubles.swap(0, Ordering::Relaxed),
        };
        config.interceptor_state().store_put(tries);
        Ok(())
    }
}

impl ClassifyRetry for Watch {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        match self.troubles.load(Ordering::Relaxed) >= TROUBLES {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "kafka-migrate"
    }
}

/// Whether an answer says that we ask too often: by its status, or by its code where the protocol keeps that in the body.
fn is_throttling(answer: &aws_sdk_kafka::config::http::HttpResponse) -> bool {
    const CODES: [&str; 4] = [
        "Throttl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "SlowDown",
    ];
    let says = |text: &str| CODES.iter().any(|code| text.contains(code));
    let status = answer.status().as_u16();
    let in_header = answer.headers().get("x-amzn-errortype").is_some_and(says);
    // The first bytes: the code stands at the beginning of every such answer.
    let in_body = || {
        let body = answer.body().bytes().unwrap_or_default();
        says(&String::from_utf8_lossy(body.get(..512).unwrap_or(body)))
    };
    status == 429 || in_header || (status >= 400 && in_body())
}

#[cfg(test)]
mod tests;
