//! The command tree and the global flags.

mod amazon;
mod ask;
mod cleanup;
mod completions;
mod config;
mod connect;
mod cutover;
mod demo;
mod differences;
mod drive;
mod explain;
mod init;
mod journal;
mod moves;
mod plan;
mod preflight;
mod ready;
mod refusal;
mod replicate;
mod report;
mod rollback;
mod sandbox;
mod sight;
mod status;
mod steer;
mod verdicts;
mod verify;
mod waived;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::ErrorKind, parser::ValueSource,
};

use crate::{
    config::{Amazon, Flag, Settings, resolve},
    error::Failure,
    exit::Exit,
    ui::{Color, Screen},
};

/// Move applications from one Kafka cluster to another without losing, repeating or reordering a record
#[derive(Debug, Parser)]
#[command(name = "kafka-migrate", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Every setting can be given by a variable: KAFKA_MIGRATE_ and its key in capitals, `_` for `.`
(source.bootstrap is KAFKA_MIGRATE_SOURCE_BOOTSTRAP). Flags win over variables, variables over
the file.

Exit codes:
  0 ok         2 usage        4 source    6 aws       8 differs   10 a person must decide
  1 bug        3 not ready    5 target    7 refused   9 stopped (the same command goes on)
  130 interrupted";

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "migration.toml",
        hide_default_value = true,
        env = "KAFKA_MIGRATE_CONFIG",
        hide_env = true
    )]
    config: PathBuf,
    /// Where local state lives [default: .kafka-migrate/NAME beside the file; variable: KAFKA_MIGRATE_STATE]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "KAFKA_MIGRATE_STATE",
        hide_env = true
    )]
    state: Option<PathBuf>,
    /// Print JSON on stdout: one document, or for `replicate` a line per event
    #[arg(long, global = true)]
    json: bool,
    /// Say more; twice: also what happens inside, for a bug report
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// When to use colour [default: auto]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    color: Color,
    /// The migration's name, once its file was read.
    #[arg(skip)]
    name: OnceLock<String>,
    /// What a command has to be given to mean this migration, and this command as it was given.
    #[arg(skip)]
    given: Given,
}

/// The command line as given, for the commands we suggest.
#[derive(Debug, Clone, Default)]
struct Given {
    config: bool,
    state: bool,
    line: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Preflight(preflight::Preflight),
    Plan(plan::PlanCommand),
    Replicate(replicate::Replicate),
    Pause(steer::Pause),
    Resume(steer::Resume),
    Throttle(steer::Throttle),
    Status(status::Status),
    Ready(ready::Ready),
    Cutover(cutover::Cutover),
    Rollback(rollback::Rollback),
    Verify(verify::Verify),
    Cleanup(cleanup::Cleanup),
    Report(report::Report),
    Config(config::Config),
    Explain(explain::Explain),
    Demo(demo::Demo),
    Sandbox(sandbox::SandboxCommand),
    Completions(completions::Completions),
    Man(completions::Man),
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
    let read = Line::command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Ok((Line::from_arg_matches(&matches)?, matches)));
    match read {
        Ok((mut line, matches)) => {
            let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
            line.global.given = Given {
                config: typed("config"),
                state: typed("state"),
                line: retyped(&arguments),
            };
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
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Screen::default().aside(error.render().to_string().trim_end());
            Err(Exit::Usage)
        }
        Err(error) => {
            let json = arguments.iter().any(|argument| argument == "--json");
            let line = Line::command();
            let command = arguments
                .iter()
                .find_map(|argument| line.find_subcommand(argument));
            let refusal = refusal::of(&error, command.map(clap::Command::get_name));
            Screen::new(json, Color::Auto, 0).failure(None, &refusal);
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
        if global.verbose > 1 {
            crate::ui::log();
        }
        let ended = match &command {
            Command::Init(command) => command.run(&global, &screen).await,
            Command::Preflight(command) => command.run(&global, &screen).await,
            Command::Plan(command) => command.run(&global, &screen).await,
            Command::Replicate(command) => command.run(&global, &screen).await,
            Command::Pause(command) => command.run(&global, &screen).await,
            Command::Resume(command) => command.run(&global, &screen).await,
            Command::Throttle(command) => command.run(&global, &screen).await,
            Command::Status(command) => Box::pin(command.run(&global, &screen)).await,
            Command::Ready(command) => command.run(&global, &screen).await,
            Command::Cutover(command) => command.run(&global, &screen).await,
            Command::Rollback(command) => command.run(&global, &screen).await,
            Command::Verify(command) => command.run(&global, &screen).await,
            Command::Cleanup(command) => Box::pin(command.run(&global, &screen)).await,
            Command::Report(command) => Box::pin(command.run(&global, &screen)).await,
            Command::Config(command) => command.run(&global, &screen),
            Command::Explain(command) => command.run(&global, &screen),
            Command::Demo(command) => Box::pin(command.run(&global, &screen)).await,
            Command::Sandbox(command) => command.run(&global, &screen).await,
            Command::Completions(command) => Ok(command.run(Line::command(), &screen)),
            Command::Man(command) => command.run(Line::command(), &screen),
        };
        ended.unwrap_or_else(|failure| {
            let failure = global.completed(failure);
            screen.failure(global.name.get().map(String::as_str), &failure);
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
    /// The variables, those that are text.
    fn environment(&self) -> BTreeMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The settings in force under these flags, with every secret that they refer to.
    async fn settings(&self, flags: &[Flag]) -> Result<Settings, Failure> {
        let settings = self.settings_here(flags)?;
        if settings.wanted.is_empty() {
            return Ok(settings);
        }
        self.read(flags, &amazon::with(&settings.wanted).await?)
    }

    /// The same for a command that logs in nowhere: what is not on this machine is not looked for.
    fn settings_here(&self, flags: &[Flag]) -> Result<Settings, Failure> {
        self.read(flags, &amazon::nothing_asked())
    }

    fn read(&self, flags: &[Flag], amazon: &Amazon) -> Result<Settings, Failure> {
        let environment = self.environment();
        let state = self.state.as_deref();
        let settings = resolve(&self.config, flags, state, &environment, amazon)?;
        // Set once: it is always the same.
        self.name.set(settings.name.clone()).ok();
        Ok(settings)
    }

    /// What is worth saying about the settings although nothing is wrong.
    fn notes(&self, settings: &Settings, screen: &Screen) {
        for note in &settings.notes {
            screen.note(note);
        }
    }

    /// A failure that names the next command in full: what to run, for which migration.
    fn completed(&self, mut failure: Failure) -> Failure {
        failure.next = match (failure.next, failure.exit) {
            (Some(next), _) => Some(self.complete(&next)),
            (None, Exit::Usage) => Some(self.complete("kafka-migrate config")),
            (None, Exit::Refused) => Some(self.complete("kafka-migrate status")),
            (None, Exit::Bug) => None,
            (None, _) => Some(self.given.line.clone()),
        };
        failure
    }

    /// A command of ours with the flags that make it mean this migration.
    fn complete(&self, command: &str) -> String {
        let rest = command.strip_prefix("kafka-migrate ");
        let Some(rest) = rest.filter(|rest| !rest.starts_with('-')) else {
            return command.to_owned();
        };
        let mut words = vec!["kafka-migrate".to_owned()];
        if self.given.config {
            words.extend(["-c".to_owned(), quoted(&self.config)]);
        }
        if let Some(state) = self.state.as_deref().filter(|_| self.given.state) {
            words.extend(["--state".to_owned(), quoted(state)]);
        }
        words.push(rest.to_owned());
        words.join(" ")
    }
}

/// The command line as it could be typed again.
fn retyped(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).map(|word| quoted(Path::new(word)));
    let words: Vec<String> = std::iter::once("kafka-migrate".to_owned())
        .chain(words)
        .collect();
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &Path) -> String {
    let word = word.to_string_lossy();
    let plain = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '.' | '/' | '-' | '_' | '=' | ':' | ',' | '+')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(arguments: &[&str]) -> Global {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        parse(arguments).expect("it is understood").line.global
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn suggested_commands_mean_the_same_migration() {
        let plain = global(&["kafka-migrate", "status"]);
        assert_eq!(
            plain.complete("kafka-migrate verify"),
            "kafka-migrate verify"
        );
        let given = global(&[
            "kafka-migrate",
            "status",
            "-c",
            "my files/it's.toml",
            "--state",
            "s",
        ]);
        assert_eq!(
            given.complete("kafka-migrate verify"),
            r"kafka-migrate -c 'my files/it'\''s.toml' --state s verify"
        );
        assert_eq!(given.complete("restart the broker"), "restart the broker");
    }

    #[test]
    fn a_failure_without_a_next_command_gets_one() {
        let next = |exit| {
            global(&["kafka-migrate", "replicate", "--until", "caught-up"])
                .completed(Failure::new(exit, "K000", ""))
                .next
        };
        let again = Some("kafka-migrate replicate --until caught-up".to_owned());
        assert_eq!(next(Exit::Source), again);
        assert_eq!(next(Exit::Target), again);
        assert_eq!(next(Exit::Stopped), again);
        assert_eq!(next(Exit::Usage).as_deref(), Some("kafka-migrate config"));
        assert_eq!(next(Exit::Refused).as_deref(), Some("kafka-migrate status"));
        assert_eq!(next(Exit::Bug), None);
    }
}
