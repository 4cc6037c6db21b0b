//! Flags that `cutover` and `rollback` have in common: which applications, and how.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::phases::deeds::Waits;

/// Our own engine's ledgers are read in no time, and an application stands still meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// As long as its maps may trail behind what both sides wrote.
const STILL: Duration = Duration::from_secs(3);

/// Which applications.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// An application of the file; where the file has none, a consumer group. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub app: Vec<String>,
    /// All of them, those first that read what others write
    #[arg(long)]
    pub all: bool,
}

/// How it is done.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// The migration's name: the answer to what is asked before anything is stopped
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the steps that this would take, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do exactly the plan that `plan` wrote with --out; refused when what it rests on has changed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "all"])]
    pub plan: Option<PathBuf>,
    /// Say that nobody writes this topic while the application moves: it has other writers, so that it cannot be seen
    #[arg(long, value_name = "TOPIC")]
    pub attest_quiet: Vec<String>,
    /// Once it was stopped, let nothing of it write any more on the side that it leaves: its `principals` are denied to write what it writes, until
    /// it comes back or `cleanup`
    #[arg(long)]
    pub freeze: bool,
    /// Nothing may be seen of an application for so long before it counts as stopped [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub quiet_for: Option<Duration>,
    /// Wait so long for a person who stops or starts it [default: 10m on a terminal, else not at all]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub wait_for_me: Option<Duration>,
    /// Wait so long until everything has arrived on the other side [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub drain_within: Option<Duration>,
    /// Wait so long until positions have come over; what is there by then, and skips nothing, is taken [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub positions_within: Option<Duration>,
}

impl How {
    /// `by_ledger`: our own engine copies, and says when nothing is left to come.
    pub(super) fn waits(&self, by_ledger: bool) -> Waits {
        use std::io::IsTerminal as _;
        let usual = match by_ledger {
            true => Waits {
                still: STILL,
                pause: PAUSE,
                ..Waits::default()
            },
            false => Waits::default(),
        };
        let person = match std::io::stdin().is_terminal() {
            true => usual.person,
            false => Duration::ZERO,
        };
        let quiet = self.quiet_for.unwrap_or(usual.quiet);
        Waits {
            quiet,
            // Without anybody there it is looked once, for as long as it has to be quiet.
            person: self.wait_for_me.unwrap_or(person).max(quiet * 2),
            drain: self.drain_within.unwrap_or(usual.drain),
            positions: self.positions_within.unwrap_or(usual.positions),
            still: usual
                .still
                .min(self.positions_within.unwrap_or(usual.still)),
            ..usual
        }
    }
}
