//! SaslAuthenticate: one token of a login.

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

use super::{
    super::{
        broker::Connection,
        login::{Refused, Step, principal_of},
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// After an error in a login the connection is closed; one that needs none, or is logged in, only hears the error.
pub fn handle(
    state: &mut State,
    connection: &mut Connection,
    _: &Call,
    request: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    let answer = SaslAuthenticateResponse::default();
    match step(state, connection, &request.auth_bytes) {
        Ok(token) => answer.with_auth_bytes(token.into()),
        Err(refused) => {
            connection.closing |= !connection.login.is_done();
            connection.cut |= refused.cut;
            answer
                .with_error_code(refused.code)
                .with_error_message(Some(text(&refused.text)))
        }
    }
}

/// One token further: the token to answer. Also for the bare tokens that follow SaslHandshake v0.
pub fn step(
    state: &mut State,
    connection: &mut Connection,
    token: &[u8],
) -> Result<Vec<u8>, Refused> {
    // The server's share of a SCRAM challenge.
    let nonce = format!("{:016x}{:016x}", state.random.next(), state.random.next());
    match connection.login.token(&state.users, token, &nonce)? {
        Step::Challenge(token) => Ok(token),
        Step::Done { user, token } => {
            connection.principal = Some(principal_of(&user));
            Ok(token)
        }
    }
}

impl Refuse for SaslAuthenticateRequest {
    fn refuse(&self, _: i16, code: i16) -> SaslAuthenticateResponse {
        SaslAuthenticateResponse::default().with_error_code(code)
    }
}
