//! What a code means and what to do.

use clap::Args;
use serde::Serialize;

use super::Global;
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    explain,
    ui::{Screen, numbers},
};

/// Explain a code: a gate (G204) or an error (K101)
#[derive(Debug, Args)]
pub struct Explain {
    /// The code, as it was printed
    #[arg(value_name = "CODE")]
    code: String,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    /// Pages are of no migration.
    migration: Option<&'a str>,
    event: &'static str,
    code: &'a str,
    page: &'a str,
}

impl Explain {
    /// Prints its page.
    pub fn run(&self, _: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let code = self.code.trim().to_uppercase();
        let Some(page) = explain::page(&code) else {
            let failure = Failure::new(
                Exit::Usage,
                "K031",
                format!("no code is called {:?}", self.code),
            )
            .hint("gates are G and three digits, errors K and three digits")
            .next("kafka-migrate explain --help");
            return Err(match explain::nearest(&code) {
                Some(near) => failure.hint(format!("the nearest is {near}")),
                None => failure,
            });
        };
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: None,
                event: "explain",
                code: &code,
                page: &page,
            });
        } else {
            screen.text(&page);
        }
        Ok(Exit::Ok)
    }
}
