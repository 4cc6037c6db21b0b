//! A document as blocks, which become Markdown or HTML: headings, sentences, lists, tables, code, plots, bars.

/// Stands before and after what is a name, a command or a number of somebody else's, and is shown as code.
const MARK: char = '\u{1}';

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Our own words, and sentences that were said.
    Words(&'a str),
    /// Shown as it is.
    Code(&'a str),
}

/// One block.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading: 1 is the title.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// A list, numbered or not.
    List {
        /// In this order, counted.
        numbered: bool,
        /// Its lines.
        lines: Vec<String>,
    },
    /// A table.
    Table {
        /// What its columns are.
        head: Vec<&'static str>,
        /// Its rows, as long as the head.
        rows: Vec<Vec<String>>,
    },
    /// Commands or a file.
    Code {
        /// `bash`, `text`.
        language: &'static str,
        /// As it is.
        text: String,
    },
    /// Lines over time; Markdown shows them as a table.
    Plot(super::plot::Plot),
    /// Steps over time; Markdown shows nothing, since a table stands beside it.
    Bars(super::bars::Bars),
}

/// A document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

impl Document {
    /// Adds a heading.
    pub fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds a list, unless it is empty.
    pub fn list(&mut self, lines: Vec<String>) {
        let numbered = false;
        if !lines.is_empty() {
            self.blocks.push(Block::List { numbered, lines });
        }
    }

    /// Adds a numbered list, unless it is empty.
    pub fn steps(&mut self, lines: Vec<String>) {
        let numbered = true;
        if !lines.is_empty() {
            self.blocks.push(Block::List { numbered, lines });
        }
    }

    /// Adds a table, unless it has no rows.
    pub fn table(&mut self, head: Vec<&'static str>, rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table { head, rows });
        }
    }

    /// Adds commands.
    pub fn commands(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            let (language, text) = ("bash", lines.join("\n"));
            self.blocks.push(Block::Code { language, text });
        }
    }
}

/// What came from elsewhere, as it may stand anywhere: nothing in it is obeyed by a screen, and it marks nothing.
pub fn plain(text: &str) -> String {
    let obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match obeyed(letter) {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
    }
    plain
}

/// The same as code.
pub fn code(text: &str) -> String {
    format!("{MARK}{}{MARK}", plain(text))
}

/// Several, one after the other.
pub fn codes<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| code(one.as_ref())).collect();
    all.join(", ")
}

/// The pieces of a line.
pub fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let pieces = line.split(MARK).enumerate();
    pieces
        .filter(|(_, piece)| !piece.is_empty())
        .map(|(at, piece)| match at % 2 {
            0 => Piece::Words(piece),
            _ => Piece::Code(piece),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_marks_nothing() {
        let line = format!("group {} and {}", code("a\u{1}b`\n"), plain("\u{1}x"));
        let pieces: Vec<Piece> = pieces(&line).collect();
        assert_eq!(
            pieces,
            [
                Piece::Words("group "),
                Piece::Code("a\\u{1}b`\\n"),
                Piece::Words(" and \\u{1}x"),
            ]
        );
    }
}
