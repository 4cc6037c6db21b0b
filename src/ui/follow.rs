//! Shows a command that runs on: bars on a terminal, lines otherwise, JSON lines for programs.

use serde::Serialize;

use super::{
    Screen,
    bars::Bars,
    json,
    lines::{Lines, Moment, Reading, stamped},
    news::Line,
};
use crate::{
    clock::{self, BootInstant},
    events::Event,
};

/// Follows one command.
pub struct Follow {
    screen: Screen,
    migration: String,
    began: BootInstant,
    shape: Shape,
}

enum Shape {
    /// One JSON line an event, on stdout.
    Json,
    /// On stderr, at a humane pace.
    Lines(Lines),
    /// On stderr, redrawn in place.
    Bars(Box<Bars>, Reading),
    /// Only what went wrong, on stderr.
    Silent(Reading),
}

impl Follow {
    pub(super) fn new(screen: &Screen, migration: &str) -> Self {
        let verbose = screen.volume > 0;
        let shape = if screen.json {
            Shape::Json
        } else if screen.volume < 0 {
            Shape::Silent(Reading::new(verbose))
        } else if screen.theme.can_redraw() {
            Shape::Bars(Box::default(), Reading::new(verbose))
        } else {
            Shape::Lines(Lines::new(migration, verbose))
        };
        Self {
            screen: screen.clone(),
            migration: migration.to_owned(),
            began: BootInstant::now(),
            shape,
        }
    }

    /// Since the command began.
    pub fn elapsed(&self) -> std::time::Duration {
        self.began.elapsed()
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        let now = self.now();
        match &mut self.shape {
            Shape::Json => self
                .screen
                .text(&json::line(now.unix_ms, &self.migration, event)),
            Shape::Lines(lines) => {
                for line in lines.of(now, event) {
                    self.screen.aside(&line);
                }
            }
            Shape::Bars(bars, reading) => {
                let said = reading.of(now.since, event);
                for line in &said.news {
                    bars.line(&stamped(now, line));
                }
                if let Some(beat) = &said.beat {
                    bars.beat(beat);
                }
            }
            Shape::Silent(reading) => {
                for line in reading.of(now.since, event).news {
                    if line.bad {
                        self.screen.aside(&stamped(now, &line));
                    }
                }
            }
        }
    }

    /// Something for people alone: JSON says it in an event of its own.
    pub fn say(&mut self, word: &'static str, text: &str) {
        let now = self.now();
        let line = stamped(now, &Line::new(word, text));
        match &self.shape {
            Shape::Lines(_) => self.screen.aside(&line),
            Shape::Bars(bars, _) => bars.line(&line),
            Shape::Json | Shape::Silent(_) => {}
        }
    }

    /// Something for programs alone; it names its `event` itself.
    pub fn tell(&mut self, said: &impl Serialize) {
        if matches!(self.shape, Shape::Json) {
            let now = self.now();
            self.screen
                .text(&json::line(now.unix_ms, &self.migration, said));
        }
    }

    /// Tells what was gathered and takes bars away; what is said afterwards stays.
    pub fn close(&mut self) {
        let now = self.now();
        match &mut self.shape {
            Shape::Lines(lines) => {
                for line in lines.rest(now) {
                    self.screen.aside(&line);
                }
            }
            Shape::Bars(bars, reading) => {
                for line in reading.rest() {
                    bars.line(&stamped(now, &line));
                }
                bars.close();
            }
            Shape::Json | Shape::Silent(_) => {}
        }
    }

    fn now(&self) -> Moment {
        Moment {
            since: self.began.elapsed(),
            unix_ms: clock::unix_millis(),
        }
    }
}
