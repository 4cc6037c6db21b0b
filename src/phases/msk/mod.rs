//! `replicate` where MSK Replicator copies: secrets and replicators, both ways, made and followed until they run.

mod deeds;
mod keep;
mod look;
mod plan;
mod sight;

pub use deeds::Deeds;
pub use look::{Seen, Wanted, look};
pub use plan::{PHASE, plan};
pub use sight::{Names, sight};
