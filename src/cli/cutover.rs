//! Moves applications to the target, one after the other.

use clap::Args;

use super::{
    Global,
    moves::{How, Kind, Moves, Which},
};
use crate::{error::Failure, exit::Exit, model::names::Side, ui::Screen};

/// Move applications to the target: stop, drain, positions, start
///
/// Each application is stopped on the source, and started on the target once everything that it read and wrote has arrived there
/// and its groups go on where they were. Any number can move, in any order. Until it is started there a failure starts it again
/// where it was. The same command goes on, however it ended, and `rollback` takes an application back at any time.
#[derive(Debug, Args)]
pub struct Cutover {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Only write down that they run on the target: you have moved them yourself. It has to be seen there, and nowhere else
    #[arg(long)]
    already_moved: bool,
    /// Do without a way back: `replication.two_way` is off, and what is written on the target stays there
    #[arg(long)]
    no_way_back: bool,
}

impl Cutover {
    /// Shows or does it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let moves = Moves {
            to: Side::Target,
            which: &self.which,
            how: &self.how,
            kind: match self.already_moved {
                true => Kind::AlreadyMoved,
                false => Kind::Moves,
            },
            no_way_back: self.no_way_back,
        };
        moves.run(global, screen).await
    }
}
