//! Puts a question to the person at the terminal, if there is one.

use std::io::IsTerminal as _;

use crate::{run::confirm::Question, ui::Screen};

/// Asks for the migration's name. `None`: nobody is there.
pub fn name(question: &Question<'_>, screen: &Screen) -> Option<String> {
    if !std::io::stdin().is_terminal() || screen.is_json() {
        return None;
    }
    screen.aside(question.warning);
    screen.aside(&format!(
        "type the migration's name, {}, to go on:",
        question.name
    ));
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(_) => Some(line),
        // What cannot be read is no answer, and no name.
        Err(_) => Some(String::new()),
    }
}
