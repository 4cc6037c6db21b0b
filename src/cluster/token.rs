//! Tokens for a client that asks for them on a thread of its own, as librdkafka does.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::model::connection::{Connection, Token, Tokens};

/// Has tokens made on our runtime, and waits for them outside of it.
#[derive(Clone)]
pub struct Lent {
    tokens: Arc<dyn Tokens>,
    runtime: Handle,
}

impl Lent {
    /// To be called on the runtime; none where the login takes no tokens.
    pub fn of(settings: &Connection) -> Option<Self> {
        let tokens = settings.tokens()?;
        let runtime = Handle::try_current().ok()?;
        Some(Self { tokens, runtime })
    }

    /// Whom the token is for, and the token; otherwise why there is none, in a sentence. Blocks: not for threads of the runtime.
    pub fn token(&self) -> Result<(String, Token), String> {
        let made = self.runtime.block_on(self.tokens.token());
        let token = made.map_err(|why| why.failure.to_string())?;
        Ok((self.tokens.name().to_owned(), token))
    }
}
