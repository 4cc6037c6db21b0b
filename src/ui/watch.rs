//! A table that is looked at again and again: redrawn in place on a terminal, a line for each change elsewhere.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Screen, pace::Pace};
use crate::clock::BootInstant;

/// Watches one thing.
pub struct Watch {
    screen: Screen,
    began: BootInstant,
    shape: Shape,
}

enum Shape {
    /// On stdout, redrawn in place.
    Picture(ProgressBar),
    /// On stdout, a line for each change.
    Lines(Changes),
}

/// What is to be shown of one look.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// All of it.
    pub picture: &'a str,
    /// It in a line.
    pub line: &'a str,
    /// What of it is a change worth a line at once; numbers that move all the time are none.
    pub state: &'a str,
}

/// Which looks become lines.
#[derive(Debug, Default)]
struct Changes {
    pace: Pace,
    state: Option<String>,
    line: String,
}

impl Changes {
    fn is_worth_a_line(&mut self, now: Duration, look: &Look<'_>) -> bool {
        let is_change = self.state.as_deref() != Some(look.state);
        if is_change && self.state.is_some() {
            self.pace.change(now);
        }
        let is_other = self.line != look.line;
        // A change that the line does not show is none to whoever reads lines.
        let due = is_other && (is_change || self.pace.is_due(now, None));
        if due {
            self.state = Some(look.state.to_owned());
            look.line.clone_into(&mut self.line);
        }
        due
    }
}

impl Watch {
    pub(super) fn new(screen: &Screen) -> Self {
        let redraws = screen.theme.can_redraw() && io::stdout().is_terminal();
        let shape = if redraws {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is sound"));
            Shape::Picture(bar)
        } else {
            Shape::Lines(Changes::default())
        };
        Self {
            screen: screen.clone(),
            began: BootInstant::now(),
            shape,
        }
    }

    /// Shows a look. `stamp` stands before a line.
    pub fn show(&mut self, stamp: &str, look: &Look<'_>) {
        match &mut self.shape {
            Shape::Picture(bar) => bar.set_message(look.picture.trim_end().to_owned()),
            Shape::Lines(changes) => {
                if changes.is_worth_a_line(self.began.elapsed(), look) {
                    self.screen.text(&format!("{stamp} {}\n", look.line));
                }
            }
        }
    }
}

impl Drop for Watch {
    /// The last picture stays.
    fn drop(&mut self) {
        if let Shape::Picture(bar) = &self.shape {
            bar.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_at_once_and_moving_numbers_at_a_humane_pace() {
        let mut changes = Changes::default();
        let mut told = Vec::new();
        for second in 0..600_u64 {
            let (state, line) = match second {
                0..300 => ("running", format!("running lag {second}")),
                _ => ("silent", "silent".to_owned()),
            };
            let look = Look {
                picture: "",
                line: &line,
                state,
            };
            if changes.is_worth_a_line(Duration::from_secs(second), &look) {
                told.push(second);
            }
        }
        assert_eq!(told.iter().filter(|second| **second < 60).count(), 60);
        assert!(told.contains(&300), "{told:?}");
        assert!(told.iter().all(|second| *second <= 300), "{told:?}");
        let between = told.iter().filter(|second| (60..300).contains(*second));
        assert_eq!(between.count(), 8, "{told:?}");
    }
}
