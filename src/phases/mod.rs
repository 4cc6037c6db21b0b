//! Moving applications from one side to the other and back, and removing what the migration made: plans, and what their steps do.
//!
//! Whoever copies stands behind one trait ([`carrier::Carrier`]); everything else is the same for all of them.

pub mod by_content;
pub mod by_ledger;
pub mod carrier;
pub mod cleanup;
pub mod content;
pub mod copier;
pub mod course;
pub mod cutover;
pub mod deeds;
pub mod freeze;
pub mod live;
pub mod moving;
#[cfg(feature = "aws")]
pub mod msk;
pub mod rollback;
pub mod standing;
pub mod waves;
pub mod world;
