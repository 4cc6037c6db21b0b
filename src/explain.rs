//! Codes to pages: one page for each gate, a row of a table for each error.

use crate::gates::GATES;

macro_rules! pages {
    ($($code:literal)*) => {
        &[$(($code, include_str!(concat!("../docs/errors/", $code, ".md"))),)*]
    };
}

/// Pages of gates.
const PAGES: &[(&str, &str)] = pages! {
    "G101" "G102" "G103" "G104" "G105" "G106" "G107" "G108" "G109" "G110" "G111" "G112" "G113" "G114" "G115" "G116" "G117"
    "G118" "G119" "G120" "G121" "G122" "G123" "G124" "G125" "G126" "G127" "G128" "G129" "G130" "G131" "G132" "G133" "G201" "G202" "G203" "G204" "G205" "G206" "G207" "G211" "G212" "G213"
    "G214" "G215" "G217" "G218" "G219" "G220"
    "G301" "G302" "G303" "G304" "G305" "G306" "G307" "G308" "G309" "G310" "G311" "G312" "G313" "G314" "G315" "G316" "G317" "G318" "G319" "G320"
};

/// Rows of errors, `| K101 K201 | meaning | what to do |`.
const TABLES: [&str; 2] = [
    include_str!("../docs/errors/codes.md"),
    include_str!("../docs/fine-print.md"),
];

/// The page of a code, as text.
pub fn page(code: &str) -> Option<String> {
    if let Some((_, page)) = PAGES.iter().find(|(known, _)| *known == code) {
        return Some((*page).to_owned());
    }
    let (_, meaning, what) = rows().find(|(codes, ..)| codes.contains(&code))?;
    Some(format!("# {code}\n\n{meaning}\n\n{what}\n"))
}

/// Every code that has a page, sorted.
pub fn codes() -> Vec<&'static str> {
    let mut codes: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
    codes.extend(rows().flat_map(|(codes, ..)| codes));
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The code that looks most like this one.
pub fn nearest(code: &str) -> Option<&'static str> {
    let near = |known: &&str| strsim::damerau_levenshtein(known, code);
    let gates = GATES.iter().map(|gate| gate.code);
    codes()
        .into_iter()
        .chain(gates)
        .min_by_key(near)
        .filter(|known| near(known) <= 2)
}

fn rows() -> impl Iterator<Item = (Vec<&'static str>, &'static str, &'static str)> {
    TABLES
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(row)
}

/// One row whose first cell holds codes only.
fn row(line: &'static str) -> Option<(Vec<&'static str>, &'static str, &'static str)> {
    let mut cells = line
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split(" | ")
        .map(str::trim);
    let codes: Vec<&str> = cells.next()?.split_whitespace().collect();
    let is_code = |code: &&str| {
        code.len() == 4
            && code.starts_with('K')
            && code.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    };
    let meaning = cells.next()?;
    // Some tables have no third column: the section around it says what to do.
    let what = cells
        .next()
        .unwrap_or("`kafka-migrate status` names the ways on.");
    (!codes.is_empty() && codes.iter().all(is_code)).then_some((codes, meaning, what))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn made_in(folder: &Path, codes: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                made_in(&path, codes);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices('"') {
                let quoted = text
                    .get(at + 1..at + 6)
                    .and_then(|text| text.strip_suffix('"'));
                let is_code = |text: &&str| {
                    text.starts_with(['K', 'G'])
                        && text.bytes().skip(1).all(|byte| byte.is_ascii_digit())
                };
                codes.extend(quoted.filter(is_code).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_code_made_anywhere_has_a_page() {
        let mut made = BTreeSet::new();
        made_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut made,
        );
        assert!(made.len() > 100, "{made:?}");
        let without: Vec<&String> = made.iter().filter(|code| page(code).is_none()).collect();
        // Codes that tests make up.
        let without: Vec<&&String> = without
            .iter()
            .filter(|code| !code.ends_with("999"))
            .collect();
        assert!(without.is_empty(), "no page for {without:?}");
    }

    #[test]
    fn every_gate_has_a_page_that_says_what_it_has_to_say() {
        for gate in GATES {
            let page = page(gate.code).unwrap_or_else(|| panic!("no page for {}", gate.code));
            let title = format!("# {} {}\n", gate.code, gate.name);
            assert!(
                page.starts_with(&title),
                "{}: it begins {:?}",
                gate.code,
                page.lines().next()
            );
            for heading in [
                "## Question",
                "## Why",
                "## How it is measured",
                "## How to open it",
            ] {
                assert!(page.contains(heading), "{} has no {heading}", gate.code);
            }
            assert!(
                page.contains(gate.question),
                "{} asks another question",
                gate.code
            );
        }
        assert_eq!(PAGES.len(), GATES.len());
    }

    #[test]
    fn the_nearest_code_is_named_and_nonsense_has_none() {
        assert_eq!(nearest("G2O4"), Some("G204"));
        assert_eq!(nearest("HELLO"), None);
        assert_eq!(page("K999"), None);
    }
}
