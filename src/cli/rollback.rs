//! Takes applications back to the source, also half-way through a cutover, and without the target.

use clap::Args;

use super::{
    Global,
    moves::{How, Kind, Moves, Which},
};
use crate::{error::Failure, exit::Exit, model::names::Side, ui::Screen};

/// Take applications back to the source, at any time until `cleanup`
///
/// The same steps as `cutover`, the other way. Half-way through a cutover it undoes what was done, where nothing was started on
/// the target yet, and else goes the whole way back. Everything that an application wrote on the target comes back first.
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// The target is gone: start them on the source as of what came back last
    #[arg(long)]
    without_target: bool,
    /// Nothing comes back (`replication.two_way` is off): start them where they stood when they moved, and leave on the target what
    /// they wrote there
    #[arg(long, conflicts_with = "without_target")]
    leave_target_data: bool,
}

impl Rollback {
    /// Shows or does it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let moves = Moves {
            to: Side::Source,
            which: &self.which,
            how: &self.how,
            kind: match (self.without_target, self.leave_target_data) {
                (true, _) => Kind::WithoutTarget,
                (false, true) => Kind::LeavesData,
                (false, false) => Kind::Moves,
            },
            no_way_back: false,
        };
        moves.run(global, screen).await
    }
}
