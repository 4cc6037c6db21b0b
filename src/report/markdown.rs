//! A document as Markdown.

use super::document::{Block, Document, Piece, pieces};

/// The whole of it.
pub fn of(document: &Document) -> String {
    let blocks = document.blocks.iter().map(block);
    let blocks: Vec<String> = blocks.filter(|block| !block.is_empty()).collect();
    blocks.join("\n\n") + "\n"
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(level, text) => {
            let marks = "#".repeat(usize::from((*level).clamp(1, 6)));
            format!("{marks} {}", line(text))
        }
        Block::Text(text) => line(text),
        Block::List { numbered, lines } => {
            let mut number = 0;
            let lines = lines.iter().map(|text| {
                number += 1;
                match numbered {
                    true => format!("{number}. {}", line(text)),
                    false => format!("- {}", line(text)),
                }
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Block::Table { head, rows } => table(head, rows),
        Block::Code { language, text } => {
            // A fence that is longer than any in it.
            let longest = text.split(|letter| letter != '`').map(str::len).max();
            let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
            format!("{fence}{language}\n{text}\n{fence}")
        }
        Block::Plot(plot) => {
            let (head, rows) = plot.table();
            format!("{}:\n\n{}", line(&plot.title), table(&head, &rows))
        }
        Block::Bars(_) => String::new(),
    }
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let cell = |text: &String| match text.is_empty() {
        true => "–".to_owned(),
        false => line(text).replace('|', "\\|"),
    };
    let mut lines = vec![
        row(head.iter().map(ToString::to_string).collect()),
        format!("|{}", "---|".repeat(head.len())),
    ];
    lines.extend(
        rows.iter()
            .map(|cells| row(cells.iter().map(cell).collect())),
    );
    lines.join("\n")
}

fn line(text: &str) -> String {
    pieces(text).map(piece).collect()
}

fn piece(piece: Piece<'_>) -> String {
    match piece {
        Piece::Words(words) => escaped(words),
        Piece::Code(code) => {
            let longest = code.split(|letter| letter != '`').map(str::len).max();
            match longest.unwrap_or(0) {
                0 => format!("`{code}`"),
                longest => {
                    let fence = "`".repeat(longest + 1);
                    format!("{fence} {code} {fence}")
                }
            }
        }
    }
}

/// What would be read as marks is not: brackets, emphasis, tags, code. An underscore inside a word marks nothing.
fn escaped(words: &str) -> String {
    let letters: Vec<char> = words.chars().collect();
    let is_word = |at: Option<usize>| {
        at.and_then(|at| letters.get(at))
            .is_some_and(|letter| letter.is_alphanumeric())
    };
    let mut text = String::with_capacity(words.len());
    for (at, letter) in letters.iter().enumerate() {
        let marks = match letter {
            '\\' | '*' | '`' | '[' | ']' | '~' => true,
            '_' => !(is_word(at.checked_sub(1)) && is_word(Some(at + 1))),
            _ => false,
        };
        match letter {
            '<' => text.push_str("&lt;"),
            '&' => text.push_str("&amp;"),
            _ => {
                if marks {
                    text.push('\\');
                }
                text.push(*letter);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::document::code, *};

    #[test]
    fn nothing_in_it_is_taken_for_marks() {
        let mut document = Document::default();
        document.heading(1, "Report");
        document.text(format!(
            "order_status of {} and {} <b> *x* [y](z)",
            code("a_b"),
            code("`")
        ));
        document.table(
            vec!["group", "again"],
            vec![vec![code("a|b"), String::new()]],
        );
        document.steps(vec!["one".into(), "two".into()]);
        document.commands(&["echo ```".into()]);
        insta::assert_snapshot!(of(&document), @r"
        # Report

        order_status of `a_b` and `` ` `` &lt;b> \*x\* \[y\](z)

        | group | again |
        |---|---|
        | `a\|b` | – |

        1. one
        2. two

        ````bash
        echo ```
        ````
        ");
    }
}
