//! SaslHandshake: client and broker agree on a mechanism.

use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::{
    super::{
        broker::Connection,
        errors,
        login::Mechanism,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// After an error in a login the connection is closed; one that needs none, or is logged in, only hears the error.
pub fn handle(
    _: &mut State,
    connection: &mut Connection,
    call: &Call,
    request: SaslHandshakeRequest,
) -> SaslHandshakeResponse {
    let over = connection.login.is_done();
    let error = connection.login.handshake(call.version, &request.mechanism);
    connection.closing |= error != errors::NONE && !over;
    let answer = SaslHandshakeResponse::default().with_error_code(error);
    if over {
        return answer;
    }
    let mechanisms = Mechanism::ALL
        .iter()
        .map(|mechanism| text(mechanism.name()));
    answer.with_mechanisms(mechanisms.collect())
}

impl Refuse for SaslHandshakeRequest {
    fn refuse(&self, _: i16, code: i16) -> SaslHandshakeResponse {
        SaslHandshakeResponse::default().with_error_code(code)
    }
}
