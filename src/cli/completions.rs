//! Shell completions and the man page, made from the definition of the command line.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{error::Failure, exit::Exit, ui::Screen};

/// Print completions for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Print the manual page
#[derive(Debug, Args)]
pub struct Man {}

impl Completions {
    /// Prints them.
    pub fn run(&self, mut line: Command, screen: &Screen) -> Exit {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut line, "kafka-migrate", &mut text);
        screen.text(&String::from_utf8_lossy(&text));
        Exit::Ok
    }
}

impl Man {
    /// Prints it: the program first, then each command.
    pub fn run(&self, mut line: Command, screen: &Screen) -> Result<Exit, Failure> {
        line.build();
        let mut text = Vec::new();
        let written = clap_mangen::Man::new(line.clone())
            .render(&mut text)
            .and_then(|()| {
                let commands = line
                    .get_subcommands()
                    .filter(|command| !command.is_hide_set());
                commands.cloned().try_for_each(|command| {
                    let man = clap_mangen::Man::new(command);
                    man.render_title(&mut Vec::new())?;
                    man.render_name_section(&mut text)?;
                    man.render_synopsis_section(&mut text)?;
                    man.render_description_section(&mut text)?;
                    man.render_options_section(&mut text)
                })
            });
        written.map_err(|error| {
            Failure::new(Exit::Bug, "K000", "the manual page cannot be made").because(&error)
        })?;
        screen.text(&String::from_utf8_lossy(&text));
        Ok(Exit::Ok)
    }
}
