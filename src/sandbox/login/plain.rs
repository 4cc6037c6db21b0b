//! PLAIN (RFC 4616): an authorisation id that must be empty or the name, the name, the password.

use super::Users;

/// Who it is, or Kafka's text (`PlainSaslServer.evaluateResponse`).
pub(super) fn check(users: &Users, token: &[u8]) -> Result<String, String> {
    let token = String::from_utf8_lossy(token);
    let parts: Vec<&str> = token.split('\0').collect();
    let [other, name, password] = parts[..] else {
        return Err(format!(
            "Invalid SASL/PLAIN response: expected 3 tokens, got {}",
            parts.len()
        ));
    };
    let failed = |why: &str| Err(format!("Authentication failed: {why}"));
    if name.is_empty() {
        failed("username not specified")
    } else if password.is_empty() {
        failed("password not specified")
    } else if !users.knows(name, password) {
        failed("Invalid username or password")
    } else if !other.is_empty() && other != name {
        failed("Client requested an authorization id that is different from username")
    } else {
        Ok(name.to_owned())
    }
}
