//! AlterUserScramCredentials (KIP-554): gives and takes what users log in with by SCRAM.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
    alter_user_scram_credentials_response::AlterUserScramCredentialsResult,
};

use super::{
    super::{
        acls::{CLUSTER_NAME, operation::ALTER, resource::CLUSTER},
        errors,
        login::{Mechanism, Users},
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// `ScramControlManager.MAX_ITERATIONS`, and the least that RFC 7677 asks for.
const ITERATIONS: std::ops::RangeInclusive<i32> = 4_096..=16_384;

type Verdict = Result<(), (i16, &'static str)>;

/// Needs ALTER of the cluster. Each user's changes succeed or fail for themselves; a user named twice gets neither.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    if !state.allows(call, ALTER, CLUSTER, CLUSTER_NAME) {
        return request.refuse(call.version, errors::CLUSTER_AUTHORIZATION_FAILED);
    }
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for name in names(&request) {
        *count.entry(name).or_default() += 1;
    }
    let mut verdicts: BTreeMap<String, Verdict> = BTreeMap::new();
    let twice = |name: &str| count.get(name).is_some_and(|count| *count > 1);
    let duplicate = (
        errors::DUPLICATE_RESOURCE,
        "A user credential cannot be altered twice in the same request",
    );
    for deletion in &request.deletions {
        let verdict = if twice(&deletion.name) {
            Err(duplicate)
        } else {
            delete(&mut state.users, deletion)
        };
        verdicts.insert(deletion.name.to_string(), verdict);
    }
    for upsertion in &request.upsertions {
        let verdict = if twice(&upsertion.name) {
            Err(duplicate)
        } else {
            upsert(&mut state.users, upsertion)
        };
        verdicts.insert(upsertion.name.to_string(), verdict);
    }
    let results = verdicts.into_iter().map(|(name, verdict)| {
        let (code, why) = verdict.err().unzip();
        AlterUserScramCredentialsResult::default()
            .with_user(text(&name))
            .with_error_code(code.unwrap_or(errors::NONE))
            .with_error_message(why.map(text))
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}

fn names(request: &AlterUserScramCredentialsRequest) -> impl Iterator<Item = String> {
    let deletions = request.deletions.iter().map(|one| one.name.to_string());
    deletions.chain(request.upsertions.iter().map(|one| one.name.to_string()))
}

fn mechanism(name: &str, number: i8) -> Result<Mechanism, (i16, &'static str)> {
    if name.is_empty() {
        return Err((
            errors::UNACCEPTABLE_CREDENTIAL,
            "Username must not be empty",
        ));
    }
    Mechanism::of_scram_type(number).ok_or((
        errors::UNSUPPORTED_SASL_MECHANISM,
        "Unknown SCRAM mechanism",
    ))
}

fn delete(users: &mut Users, deletion: &ScramCredentialDeletion) -> Verdict {
    let mechanism = mechanism(&deletion.name, deletion.mechanism)?;
    if users.remove(&deletion.name, mechanism) {
        Ok(())
    } else {
        Err((
            errors::RESOURCE_NOT_FOUND,
            "Attempt to delete a user credential that does not exist",
        ))
    }
}

fn upsert(users: &mut Users, upsertion: &ScramCredentialUpsertion) -> Verdict {
    let mechanism = mechanism(&upsertion.name, upsertion.mechanism)?;
    if upsertion.iterations < *ITERATIONS.start() {
        return Err((errors::UNACCEPTABLE_CREDENTIAL, "Too few iterations"));
    }
    if upsertion.iterations > *ITERATIONS.end() {
        return Err((errors::UNACCEPTABLE_CREDENTIAL, "Too many iterations"));
    }
    let iterations = upsertion.iterations.unsigned_abs();
    users.set(
        &upsertion.name,
        mechanism,
        &upsertion.salt,
        iterations,
        &upsertion.salted_password,
    );
    Ok(())
}

impl Refuse for AlterUserScramCredentialsRequest {
    fn refuse(&self, _: i16, code: i16) -> AlterUserScramCredentialsResponse {
        let results = names(self).map(|name| {
            AlterUserScramCredentialsResult::default()
                .with_user(text(&name))
                .with_error_code(code)
        });
        AlterUserScramCredentialsResponse::default().with_results(results.collect())
    }
}
