//! What the user asked for: the migration file, the environment and the flags, resolved to settings.

mod amazon;
mod applications;
mod credentials;
mod draft;
mod fault;
mod fields;
mod file;
mod listing;
mod login;
mod msk;
mod overlay;
mod resolve;
mod settings;
mod topics;
mod value;
mod written;

pub use amazon::Amazon;
pub use draft::{Draft, Proposal, Section, begin};
pub use resolve::resolve;
pub use settings::{Flag, Given, Listed, Origin, Settings, variable};
