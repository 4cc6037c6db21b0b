//! SASL: who we are.

use super::{Error, conn::Conn};
use crate::model::connection::{Auth, Connection};

/// Logs in as the settings say.
pub(super) async fn login(conn: &Conn, settings: &Connection) -> Result<(), Error> {
    let _ = conn;
    match settings.auth {
        Auth::None => Ok(()),
        _ => Err(Error::Roots { reason: "no login yet".into() }),
    }
}
