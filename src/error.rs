//! The error a person sees: one sentence, its causes, hints, the next command and the exit code.

use std::fmt;

use crate::exit::Exit;

/// A failure of a command, complete enough to be printed as it is or as JSON.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The process's exit code.
    pub exit: Exit,
    /// A stable code, `K0xx` usage and file, `K1xx` source, `K2xx` target, `K3xx` AWS, `K4xx` state, `K5xx` engine.
    pub code: &'static str,
    /// One lower-case sentence without a full stop.
    pub message: String,
    /// The cause chain, outermost first.
    pub causes: Vec<String>,
    /// At most two.
    pub hints: Vec<String>,
    /// The command to run next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with a sentence and nothing else yet.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            next: None,
        }
    }

    /// Adds the chain of an error as causes.
    #[must_use]
    pub fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds one cause in words.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the command to run next.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
