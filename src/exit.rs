//! Every exit code, its name and its meaning.

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or the gates are open.
    Ok = 0,
    /// Unexpected; please report.
    Bug = 1,
    /// Flags, file or references are wrong; nothing was touched.
    Usage = 2,
    /// Looked, and the answer is no.
    NotReady = 3,
    /// The source refused or was unreachable.
    Source = 4,
    /// The target refused or was unreachable.
    Target = 5,
    /// An AWS call failed.
    Aws = 6,
    /// Lock held, another engine, a ledger that is not ours, a file that differs from the engine's.
    Refused = 7,
    /// `verify` found differences.
    Differs = 8,
    /// Stopped between steps; the same command resumes.
    Stopped = 9,
    /// Stopped where a person must decide.
    Attention = 10,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The code for the operating system.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The word printed beside the code.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bug => "bug",
            Self::Usage => "usage",
            Self::NotReady => "not-ready",
            Self::Source => "source",
            Self::Target => "target",
            Self::Aws => "aws",
            Self::Refused => "refused",
            Self::Differs => "differs",
            Self::Stopped => "stopped",
            Self::Attention => "attention",
            Self::Interrupted => "interrupted",
        }
    }
}
