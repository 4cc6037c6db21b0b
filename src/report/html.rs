//! A document as one HTML file: no scripts, nothing fetched, readable in light and in dark; every text in it is escaped.

use super::document::{Block, Document, Piece, pieces};

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1d2330; --faint: #6b7280; --line: #d7dbe3; --paper: #ffffff; --code: #f2f4f8;
  --one: #1f6feb; --two: #b35900; --ours: #d9480f; --good: #2b8a3e; --bad: #c92a2a }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ee; --faint: #9aa3b2; --line: #39404e; --paper: #14171d; --code: #1f242d;
  --one: #6ea8fe; --two: #f0a35e; --ours: #ff8a5b; --good: #69db7c; --bad: #ff8787 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line) } h3 { font-size: 1.05rem }
table { border-collapse: collapse; margin: .8rem 0; display: block; overflow-x: auto } th, td { border: 1px solid var(--line); padding: .25rem .55rem; text-align: left; vertical-align: top }
th { background: var(--code) } code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: var(--code) }
code { padding: .05rem .25rem; border-radius: 3px; overflow-wrap: anywhere } pre { padding: .7rem; overflow-x: auto } pre code { padding: 0 }
figure { margin: 1rem 0 } figcaption { color: var(--faint) } svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--ink) } svg .faint { fill: var(--faint) } svg .axis { stroke: var(--line); fill: none } svg .gap { fill: var(--line); opacity: .45 }
svg .one { stroke: var(--one) } svg .two { stroke: var(--two) } svg .series { fill: none; stroke-width: 1.6 }
svg .bar { fill: var(--one); opacity: .75 } svg .bar.bad { fill: var(--bad) } svg .bar.undo { fill: var(--two) } svg .ours { fill: var(--ours); opacity: .16 }
svg .moment { stroke: var(--ours); stroke-dasharray: 3 3 }";

/// The whole of it, with this title.
pub fn of(document: &Document, title: &str) -> String {
    let body: Vec<String> = document.blocks.iter().map(block).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n{}\n</body>\n</html>\n",
        escaped(title),
        body.join("\n")
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(level, text) => {
            let level = (*level).clamp(1, 6);
            format!("<h{level}>{}</h{level}>", line(text))
        }
        Block::Text(text) => format!("<p>{}</p>", line(text)),
        Block::List { numbered, lines } => {
            let tag = if *numbered { "ol" } else { "ul" };
            let lines = lines
                .iter()
                .map(|text| format!("<li>{}</li>\n", line(text)));
            format!("<{tag}>\n{}</{tag}>", lines.collect::<String>())
        }
        Block::Table { head, rows } => table(head, rows),
        Block::Code { text, .. } => format!("<pre><code>{}</code></pre>", escaped(text)),
        Block::Plot(plot) => {
            let (head, rows) = plot.table();
            let drawn = plot.svg();
            format!(
                "<figure>\n<figcaption>{}</figcaption>\n{drawn}\n{}\n</figure>",
                line(&plot.title),
                table(&head, &rows)
            )
        }
        Block::Bars(bars) => format!("<figure>\n{}\n</figure>", bars.svg()),
    }
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, all: &mut dyn Iterator<Item = String>| {
        let cells = all.map(|text| format!("<{tag}>{}</{tag}>", line(&text)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let head = cells("th", &mut head.iter().map(ToString::to_string));
    let rows = rows.iter().map(|row| cells("td", &mut row.iter().cloned()));
    format!("<table>\n{head}{}</table>", rows.collect::<String>())
}

fn line(text: &str) -> String {
    let pieces = pieces(text).map(|piece| match piece {
        Piece::Words(words) => escaped(words),
        Piece::Code(code) => format!("<code>{}</code>", escaped(code)),
    });
    pieces.collect()
}

/// A text in which nothing is a tag, an attribute's end or an entity.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What a browser obeys besides is no part of any text of ours.
            letter if letter.is_control() && letter != '\n' => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{super::document::code, *};

    #[test]
    fn a_name_is_never_a_tag() {
        let evil = "</code><script>alert(1)</script>\"'&\u{0}";
        let mut document = Document::default();
        document.heading(2, code(evil));
        document.text(evil);
        document.list(vec![evil.into()]);
        document.table(vec!["name"], vec![vec![code(evil)]]);
        document.commands(&[evil.into()]);
        let html = of(&document, evil);
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("alert(1)<"), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 6);
        assert!(!html.contains("http"), "nothing is fetched: {html}");
    }
}
