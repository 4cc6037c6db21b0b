//! Wrong logins, the wrong region, and faults by script: each service says it as AWS's protocol for it does.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_kafka::error::SdkError;
use serde_json::json;

use super::{code, create, prepared};
use crate::support::{
    aws::{
        ACCESS_KEY, Aws, EXPIRED, REGION, SECRET_KEY,
        clusters::Cluster,
        faults::{Fault, Which},
    },
    tool, wait,
};

/// What each service says to a question that anybody may ask: kafka, secretsmanager, cloudwatch, logs, sts.
async fn said(sdk: &aws_config::SdkConfig) -> [String; 5] {
    fn coded<T, E, R>(result: Result<T, SdkError<E, R>>) -> String
    where
        E: aws_sdk_kafka::error::ProvideErrorMetadata,
        R: std::fmt::Debug,
    {
        result.map_or_else(|error| code(&error), |_| "fine".to_owned())
    }
    let kafka = aws_sdk_kafka::Client::new(sdk);
    let secrets = aws_sdk_secretsmanager::Client::new(sdk);
    let metrics = aws_sdk_cloudwatch::Client::new(sdk);
    let logs = aws_sdk_cloudwatchlogs::Client::new(sdk);
    let sts = aws_sdk_sts::Client::new(sdk);
    [
        coded(kafka.list_replicators().send().await),
        coded(secrets.list_secrets().send().await),
        coded(metrics.list_metrics().send().await),
        coded(logs.describe_log_groups().send().await),
        coded(sts.get_caller_identity().send().await),
    ]
}

fn login(key: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(key, secret, token.map(str::to_owned), None, "test")
}

#[tokio::test]
async fn only_the_right_login_is_let_in() {
    let aws = Aws::start();
    let ask = async |credentials| said(&aws.sdk_as(REGION, credentials)).await;
    assert_eq!(ask(login(ACCESS_KEY, SECRET_KEY, None)).await, ["fine"; 5]);
    assert_eq!(
        ask(login(ACCESS_KEY, SECRET_KEY, Some("alive"))).await,
        ["fine"; 5]
    );
    let unknown = "UnrecognizedClientException";
    assert_eq!(
        ask(login("AKIAOTHER", SECRET_KEY, None)).await,
        [
            unknown,
            unknown,
            "InvalidClientTokenId",
            unknown,
            "InvalidClientTokenId"
        ]
    );
    let expired = "ExpiredTokenException";
    assert_eq!(
        ask(login(ACCESS_KEY, SECRET_KEY, Some(EXPIRED))).await,
        [expired, expired, "ExpiredToken", expired, "ExpiredToken"]
    );
    let forged = "InvalidSignatureException";
    assert_eq!(
        ask(login(ACCESS_KEY, "another", None)).await,
        [
            forged,
            forged,
            "SignatureDoesNotMatch",
            forged,
            "SignatureDoesNotMatch"
        ]
    );
}

#[tokio::test]
async fn another_region_is_there_and_empty() {
    let aws = Aws::start();
    let arn = aws.add_cluster(Cluster::express("one"));
    let sdk = aws.sdk_as("eu-central-1", login(ACCESS_KEY, SECRET_KEY, None));
    assert_eq!(said(&sdk).await, ["fine"; 5]);
    let client = aws_sdk_kafka::Client::new(&sdk);
    let refused = client.describe_cluster_v2().cluster_arn(&arn).send().await;
    assert_eq!(
        code(&refused.expect_err("it is not there")),
        "NotFoundException"
    );
    assert_eq!(
        aws.requests_of("DescribeClusterV2")[0].region,
        "eu-central-1"
    );
}

#[tokio::test]
async fn faults_come_as_often_as_the_script_says() {
    let aws = Aws::start();
    let sdk = aws.sdk();
    aws.fault("*", Which::Next(5), Fault::Throttled);
    let throttled = "ThrottlingException";
    assert_eq!(
        said(&sdk).await,
        [
            "TooManyRequestsException",
            throttled,
            "Throttling",
            throttled,
            "Throttling"
        ]
    );
    assert_eq!(said(&sdk).await, ["fine"; 5]);
    aws.fault("*", Which::All, Fault::Denied);
    let denied = "AccessDeniedException";
    for _ in 0..2 {
        assert_eq!(
            said(&sdk).await,
            [denied, denied, "AccessDenied", denied, "AccessDenied"]
        );
    }
    aws.heal();
    aws.fault("kafka.*", Which::All, Fault::Broken);
    let error = "InternalServerErrorException";
    assert_eq!(said(&sdk).await, [error, "fine", "fine", "fine", "fine"]);
    aws.heal();
    let forbidden = Fault::Error("ForbiddenException", "No.");
    aws.fault_if(
        "DescribeClusterV2",
        Which::All,
        |input| input["clusterArn"] == "x",
        forbidden,
    );
    let client = aws_sdk_kafka::Client::new(&sdk);
    for (arn, wanted) in [("x", "ForbiddenException"), ("y", "BadRequestException")] {
        let refused = client.describe_cluster_v2().cluster_arn(arn).send().await;
        assert_eq!(code(&refused.expect_err(arn)), wanted);
    }
}

#[tokio::test]
async fn the_client_tries_again_what_is_throttled() {
    let aws = Aws::start();
    let sdk = aws.sdk();
    let patient = sdk
        .into_builder()
        .retry_config(
            aws_config::retry::RetryConfig::standard()
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .sleep_impl(aws_sdk_kafka::config::SharedAsyncSleep::new(Sleep))
        .build();
    aws.fault("ListReplicators", Which::Next(2), Fault::Throttled);
    let client = aws_sdk_kafka::Client::new(&patient);
    client
        .list_replicators()
        .send()
        .await
        .expect("the third is answered");
    assert_eq!(aws.requests_of("ListReplicators").len(), 3);
}

#[derive(Debug)]
struct Sleep;

impl aws_sdk_kafka::config::AsyncSleep for Sleep {
    fn sleep(&self, time: Duration) -> aws_sdk_kafka::config::Sleep {
        aws_sdk_kafka::config::Sleep::new(tokio::time::sleep(time))
    }
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_effect() {
    let (aws, request) = prepared().await;
    let client = aws_sdk_kafka::Client::new(&aws.sdk());
    for (fault, there) in [(Fault::CutBefore, 0), (Fault::CutAfter, 1)] {
        aws.fault("kafka.CreateReplicator", Which::Next(1), fault);
        let sent = client
            .create_replicator()
            .customize()
            .mutate_request({
                let body = request.to_string();
                move |request| {
                    request
                        .headers_mut()
                        .insert("content-length", body.len().to_string());
                    *request.body_mut() = aws_smithy_types::body::SdkBody::from(body.clone());
                }
            })
            .send()
            .await;
        assert!(
            matches!(sent, Err(SdkError::DispatchFailure(_))),
            "{sent:?}"
        );
        assert_eq!(aws.replicators().len(), there);
    }
    let (code, ..) = create(&aws, &request)
        .await
        .expect_err("it was made all the same");
    assert_eq!(code, "ConflictException");
}

#[tokio::test]
async fn an_answer_may_be_late_or_never_come() {
    let aws = Aws::start();
    let client = aws_sdk_kafka::Client::new(&aws.sdk());
    aws.fault(
        "ListReplicators",
        Which::Next(1),
        Fault::Late(Duration::from_millis(300)),
    );
    let began = Instant::now();
    client
        .list_replicators()
        .send()
        .await
        .expect("it is answered");
    assert!(began.elapsed() >= Duration::from_millis(300));
    aws.fault("ListReplicators", Which::Next(1), Fault::SilentAfter);
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.list_replicators().send().await }
    });
    tokio::task::spawn_blocking(move || {
        wait::until("it was asked", Duration::from_secs(30), || {
            aws.requests_of("ListReplicators").len() == 2
        });
        aws
    })
    .await
    .expect("it was asked");
    assert!(!asking.is_finished() || asking.await.is_ok_and(|answer| answer.is_err()));
}

#[test]
fn a_process_is_given_the_fake_and_nothing_else_of_aws() {
    let aws = Aws::start();
    let mut command = tool::program();
    command.env("AWS_PROFILE", "kept, for it was set on purpose");
    aws.give_to(&mut command);
    let given: serde_json::Map<_, _> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))))
        .collect();
    assert_eq!(given["AWS_ENDPOINT_URL"], json!(aws.endpoint()));
    assert_eq!(given["AWS_REGION"], json!(REGION));
    assert_eq!(given["AWS_EC2_METADATA_DISABLED"], "true");
    assert!(std::env::var_os("AWS_ENDPOINT_URL").is_none());
}
