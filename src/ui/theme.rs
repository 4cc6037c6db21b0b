//! Colours with meanings. Words carry the meaning; colour only helps.

use std::io::{self, IsTerminal as _};

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or CI is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The choice, made once.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    colored: bool,
    /// Whatever is written to.
    forced: bool,
    redraws: bool,
}

impl Theme {
    /// A flag wins; then `NO_COLOR`, `CLICOLOR_FORCE`, `CI`, and whether people read stderr on a terminal.
    pub fn choose(color: Color) -> Self {
        let set = |name: &str| {
            std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
        };
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb && !set("CI");
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto if set("CLICOLOR_FORCE") => true,
            Color::Auto => terminal,
        };
        Self {
            colored,
            forced: colored && (color == Color::Always || set("CLICOLOR_FORCE")),
            redraws: terminal,
        }
    }

    /// The same choice for stdout, which may be a file while stderr is a terminal.
    #[must_use]
    pub fn of_stdout(self) -> Self {
        Self {
            colored: self.colored && (self.forced || io::stdout().is_terminal()),
            ..self
        }
    }

    /// Do people read stderr on a terminal that can be redrawn?
    pub fn can_redraw(self) -> bool {
        self.redraws
    }

    /// Something went wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Something deserves a look.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something is as it should be.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Something beside the point.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, style: &str, text: &str) -> String {
        if self.colored {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
