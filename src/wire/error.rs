//! What can go wrong between us and one broker.

/// An error of one connection or one request.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// placeholder variant, replaced by the owner of this file.
    #[error("{0}")]
    Other(String),
}
