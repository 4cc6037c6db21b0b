//! The command tree and the global flags.

mod config;

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    config::{Flag, Settings, resolve},
    error::Failure,
    exit::Exit,
    ui::{Color, Screen},
};

/// Move applications from one Kafka cluster to another without losing, repeating or reordering a record.
#[derive(Debug, Parser)]
#[command(name = "kafka-migrate", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Every setting can be given by a variable: KAFKA_MIGRATE_ and its key in capitals, `_` for `.`
(source.bootstrap is KAFKA_MIGRATE_SOURCE_BOOTSTRAP). Flags win over variables, variables over the file.

Exit codes: 0 ok, 1 bug, 2 usage, 4 source, 5 target, 7 refused, 8 differs, 9 stopped, 10 a person must decide, 130 interrupted.";

/// Flags of every command.
#[derive(Debug, Args)]
struct Global {
    /// The migration file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "migration.toml",
        env = "KAFKA_MIGRATE_CONFIG"
    )]
    config: PathBuf,
    /// Where local state lives [default: .kafka-migrate/NAME beside the file]
    #[arg(long, global = true, value_name = "DIR", env = "KAFKA_MIGRATE_STATE")]
    state: Option<PathBuf>,
    /// Print JSON on stdout: one document, or a line per event
    #[arg(long, global = true)]
    json: bool,
    /// Say more; twice: log the protocol
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Use colour
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto"
    )]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Config(config::Config),
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Start {
    line: Line,
    screen: Screen,
}

/// Reads the command line. Help, version and refusals are printed here.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Start, Exit> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = Line::command().try_get_matches_from(&arguments);
    match matches.and_then(|matches| Line::from_arg_matches(&matches)) {
        Ok(line) => {
            let screen = Screen::new(
                line.global.json,
                line.global.color,
                i16::from(line.global.verbose) - i16::from(line.global.quiet),
            );
            Ok(Start { line, screen })
        }
        Err(error) if !error.use_stderr() => {
            Screen::default().text(&error.render().to_string());
            Err(Exit::Ok)
        }
        Err(error) if arguments.iter().any(|argument| argument == "--json") => {
            let words = error.render().to_string();
            let sentence = words
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Screen::new(true, Color::Never, 0).failure(
                None,
                &Failure::new(Exit::Usage, "K004", sentence).hint("kafka-migrate --help"),
            );
            Err(Exit::Usage)
        }
        Err(error) => {
            Screen::default().aside(error.render().to_string().trim_end());
            Err(Exit::Usage)
        }
    }
}

impl Start {
    /// Runs the command to its end and prints what went wrong.
    pub async fn run(self) -> Exit {
        let Self {
            line: Line { global, command },
            screen,
        } = self;
        let ended = match &command {
            Command::Config(command) => command.run(&global, &screen),
        };
        ended.unwrap_or_else(|failure| {
            screen.failure(None, &failure);
            failure.exit
        })
    }

    /// The operating system gave no threads.
    pub fn no_runtime(&self, error: &std::io::Error) -> Exit {
        self.screen.failure(
            None,
            &Failure::new(Exit::Bug, "K000", "the runtime cannot start").because(error),
        );
        Exit::Bug
    }
}

impl Global {
    /// The settings in force under these flags.
    fn settings(&self, flags: &[Flag]) -> Result<Settings, Failure> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        resolve(&self.config, flags, self.state.as_deref(), &environment)
    }
}
