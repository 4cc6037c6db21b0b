//! DescribeUserScramCredentials (KIP-554): who may log in by SCRAM, and how often passwords were hashed.

use kafka_protocol::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    describe_user_scram_credentials_response::{
        CredentialInfo, DescribeUserScramCredentialsResult,
    },
};

use super::{
    super::{
        acls::{CLUSTER_NAME, operation::DESCRIBE, resource::CLUSTER},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs DESCRIBE of the cluster. No names are all.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    if !state.allows(call, DESCRIBE, CLUSTER, CLUSTER_NAME) {
        return request.refuse(call.version, errors::CLUSTER_AUTHORIZATION_FAILED);
    }
    let all = state.users.described();
    let asked: Vec<String> = request
        .users
        .into_iter()
        .flatten()
        .map(|user| user.name.to_string())
        .collect();
    let mut names = asked.clone();
    if names.is_empty() {
        names = all.keys().map(|name| (*name).to_owned()).collect();
    }
    names.sort();
    names.dedup();
    let results = names.iter().map(|name| {
        let answer = DescribeUserScramCredentialsResult::default().with_user(text(name));
        let failed = |answer: DescribeUserScramCredentialsResult, code: i16, why: &str| {
            answer
                .with_error_code(code)
                .with_error_message(Some(text(&format!("{why}{name}"))))
        };
        if asked.iter().filter(|other| *other == name).count() > 1 {
            let why =
                "Cannot describe SCRAM credentials for the same user twice in a single request: ";
            return failed(answer, errors::DUPLICATE_RESOURCE, why);
        }
        let Some(credentials) = all.get(name.as_str()) else {
            let why = "Attempt to describe a user credential that does not exist: ";
            return failed(answer, errors::RESOURCE_NOT_FOUND, why);
        };
        let infos = credentials.iter().map(|(mechanism, iterations)| {
            CredentialInfo::default()
                .with_mechanism(mechanism.scram_type())
                .with_iterations(i32::try_from(*iterations).unwrap_or(i32::MAX))
        });
        answer.with_credential_infos(infos.collect())
    });
    DescribeUserScramCredentialsResponse::default().with_results(results.collect())
}

impl Refuse for DescribeUserScramCredentialsRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeUserScramCredentialsResponse {
        DescribeUserScramCredentialsResponse::default().with_error_code(code)
    }
}
