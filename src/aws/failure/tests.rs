//! Every kind of trouble with AWS: its code, what it says, what to do; and that nothing of a secret is in it.

use aws_sdk_kafka::{
    config::http::HttpResponse,
    error::{ConnectorError, ErrorMetadata},
    operation::create_replicator::CreateReplicatorError,
};
use aws_smithy_types::body::SdkBody;

use super::*;

const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/mover/me";

fn asked() -> Asked<'static> {
    Asked {
        region: Some("us-east-1"),
        ..Asked::to("kafka:CreateReplicator")
    }
}

/// An answer of a service.
fn answered(
    status: u16,
    code: Option<&str>,
    message: Option<&str>,
) -> SdkError<CreateReplicatorError> {
    let parameter = r#"{"invalidParameter": "vpcConfig"}"#;
    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(parameter));
    answer.headers_mut().insert("x-amzn-requestid", "r-1");
    let mut metadata = ErrorMetadata::builder();
    metadata = code.into_iter().fold(metadata, ErrorMetadata::builder_code);
    metadata = message
        .into_iter()
        .fold(metadata, ErrorMetadata::builder_message);
    let error = CreateReplicatorError::generic(metadata.build());
    SdkError::service_error(error, answer)
}

/// The builder's methods as functions.
trait Build {
    fn builder_code(
        builder: aws_smithy_types::error::metadata::Builder,
        code: &str,
    ) -> aws_smithy_types::error::metadata::Builder;
    fn builder_message(
        builder: aws_smithy_types::error::metadata::Builder,
        text: &str,
    ) -> aws_smithy_types::error::metadata::Builder;
}

impl Build for ErrorMetadata {
    fn builder_code(
        builder: aws_smithy_types::error::metadata::Builder,
        code: &str,
    ) -> aws_smithy_types::error::metadata::Builder {
        builder.code(code)
    }

    fn builder_message(
        builder: aws_smithy_types::error::metadata::Builder,
        text: &str,
    ) -> aws_smithy_types::error::metadata::Builder {
        builder.message(text)
    }
}

fn failure(status: u16, code: &str, message: &str) -> Failure {
    of(
        &asked(),
        Some(CALLER),
        &answered(status, Some(code), Some(message)),
    )
}

#[test]
fn what_services_answer_has_a_name_each() {
    for (status, code, expected, says) in [
        (
            403,
            "ExpiredTokenException",
            "K301",
            "the AWS credentials have expired",
        ),
        (400, "ExpiredToken", "K301", "have expired"),
        (
            403,
            "UnrecognizedClientException",
            "K302",
            "does not know the AWS credentials",
        ),
        (403, "InvalidClientTokenId", "K302", "does not know"),
        (403, "SignatureDoesNotMatch", "K302", "does not know"),
        (401, "UnauthorizedException", "K302", "does not know"),
        (
            403,
            "RequestTimeTooSkewed",
            "K315",
            "a clock as wrong as this machine's",
        ),
        (
            403,
            "ForbiddenException",
            "K303",
            "may not kafka:CreateReplicator",
        ),
        (
            429,
            "TooManyRequestsException",
            "K304",
            "asked us to slow down",
        ),
        (400, "ThrottlingException", "K304", "asked us to slow down"),
        (
            404,
            "NotFoundException",
            "K305",
            "did not find what CreateReplicator is about",
        ),
        (409, "ConflictException", "K306", "there is one already"),
        (
            400,
            "BadRequestException",
            "K307",
            "it dislikes `vpcConfig`",
        ),
        (
            500,
            "InternalServerErrorException",
            "K308",
            "Amazon MSK failed at CreateReplicator",
        ),
        (
            503,
            "ServiceUnavailableException",
            "K308",
            "Amazon MSK failed",
        ),
        (
            400,
            "ServiceQuotaExceededException",
            "K313",
            "as much as it may",
        ),
        (418, "Teapot", "K311", "a reason without a name here"),
        (400, "NeverHeardOf", "K307", "refused CreateReplicator"),
    ] {
        let failure = failure(status, code, "words of AWS");
        assert_eq!(failure.code, expected, "{code}");
        assert_eq!(failure.exit, Exit::Aws, "{code}");
        assert!(failure.message.contains(says), "{code}: {failure}");
        let cause = failure.causes.last().expect("AWS's own words are told");
        assert_eq!(
            *cause,
            format!("{code}: words of AWS (HTTP {status}, request r-1)")
        );
        assert!(failure.hints.len() <= 2);
        let is_sentence = !failure.message.ends_with('.') && !failure.message.contains('\n');
        assert!(is_sentence, "{failure}");
    }
    // Something in between that is none of AWS's.
    let nameless = of(&asked(), None, &answered(403, None, None));
    assert_eq!(nameless.code, "K303");
    assert_eq!(nameless.causes, ["no code (HTTP 403, request r-1)"]);
}

#[test]
fn a_missing_right_names_who_and_what_and_the_statement() {
    let named = failure(
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ana is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/R because no identity-based policy allows the iam:PassRole action",
    );
    assert_eq!(
        named.message,
        "arn:aws:iam::123456789012:user/ana may not iam:PassRole"
    );
    assert_eq!(
        named.hints,
        [
            r#"have this statement added to what they may: {"Action":"iam:PassRole","Effect":"Allow","Resource":"arn:aws:iam::123456789012:role/R"}"#
        ]
    );
    assert_eq!(named.next.as_deref(), Some(WHO));
    // Where AWS says less, what we know is told.
    let short = failure(403, "ForbiddenException", "no");
    assert_eq!(
        short.message,
        format!("{CALLER} may not kafka:CreateReplicator")
    );
    assert!(short.hints[0].contains(r#""Resource":"*""#), "{short:?}");
    let outright = failure(
        403,
        "AccessDenied",
        "x with an explicit deny in a service control policy",
    );
    assert!(outright.hints[0].contains("denies it outright"));
    assert!(is_denied(&answered(403, Some("AccessDenied"), None)));
    assert!(!is_denied(&answered(404, None, None)));
}

#[test]
fn what_was_signed_is_not_shown() {
    let message = "The request signature we calculated does not match.\n\nThe Canonical String was\n'GET\nx-amz-security-token:Pl4nted'";
    let refused = failure(403, "SignatureDoesNotMatch", message);
    assert!(!format!("{refused:?}").contains("Pl4nted"), "{refused:?}");
    let late = failure(
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20260131T000000Z is now earlier than",
    );
    assert_eq!(late.code, "K315");
}

#[test]
fn what_has_no_answer_is_told_by_where_it_ended() {
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error: SdkError<CreateReplicatorError> =
        SdkError::dispatch_failure(ConnectorError::io(refused.into()));
    let unreachable = of(&asked(), None, &error);
    assert_eq!(unreachable.code, "K309");
    assert_eq!(
        unreachable.message,
        "Amazon MSK cannot be reached in us-east-1"
    );
    assert!(
        unreachable.causes.last().unwrap().contains("refused"),
        "{unreachable:?}"
    );
    assert_eq!(unreachable.hints.len(), 2);
    let late: SdkError<CreateReplicatorError> = SdkError::timeout_error("30s");
    assert_eq!(of(&asked(), None, &late).code, "K309");
    let html = |status: u16| {
        let answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from("<html>"));
        let error: SdkError<CreateReplicatorError> = SdkError::response_error("not JSON", answer);
        of(&asked(), None, &error).code
    };
    assert_eq!((html(200), html(502)), ("K310", "K308"));
}

#[test]
fn credentials_that_are_not_to_be_had_say_why() {
    let none = || CredentialsError::not_loaded("nowhere");
    let expired =
        || CredentialsError::provider_error("the SSO token has expired and cannot be refreshed");
    let wrong = || CredentialsError::invalid_configuration("profile `x` was not defined");
    let slow = || CredentialsError::provider_timed_out(std::time::Duration::from_secs(1));
    for (error, code, next, passing) in [
        (none(), "K300", WHO, false),
        (expired(), "K301", "aws sso login", false),
        (wrong(), "K312", "aws configure list", false),
    ] {
        let told = no_credentials(&error);
        assert_eq!((told.failure.code, told.passing), (code, passing));
        assert_eq!(told.failure.next.as_deref(), Some(next));
        // The same, found inside a call that failed for it.
        let call: SdkError<CreateReplicatorError> =
            SdkError::dispatch_failure(ConnectorError::other(error.into(), None));
        assert_eq!(of(&asked(), None, &call).code, code);
    }
    let told = no_credentials(&slow());
    assert_eq!((told.failure.code, told.passing), ("K309", true));
}
