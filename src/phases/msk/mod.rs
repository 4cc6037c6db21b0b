//! `replicate` where MSK Replicator copies: secrets and replicators, both ways, made and followed until they run.

mod arrival;
mod deeds;
mod keep;
mod look;
mod plan;
mod remove;
mod sent;
mod sight;
pub mod state;
mod told;
pub mod vantage;

pub use arrival::Arrival;
pub use deeds::Deeds;
pub use look::{Seen, Wanted, look};
pub use plan::{PHASE, plan};
pub use remove::Removing;
pub use sent::sent;
pub use sight::{Names, numbers, sight};
