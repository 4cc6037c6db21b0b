//! What the user asked for: the migration file, the environment and the flags, resolved to settings.

mod applications;
mod credentials;
mod fault;
mod fields;
mod file;
mod resolve;
mod value;

pub use resolve::{Flag, Listed, Origin, Settings, resolve, variable};
