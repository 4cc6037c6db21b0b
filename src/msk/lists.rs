//! Names and globs of the scope as the regular expressions that a replicator takes.
//!
//! A literal name is escaped: `orders.v1` would match `ordersxv1` too. Which dialect AWS speaks is not documented, nor whether an expression has
//! to match a whole name; only what every dialect has in common is written.

use crate::model::patterns::Patterns;

/// The longest expression of a topic, and of a group.
pub const LONGEST_TOPIC: usize = 249;
pub const LONGEST_GROUP: usize = 256;
/// The most expressions in one list.
pub const MOST: usize = 100;
/// What no glob may reach, as expressions: topics of brokers and of other tools, and ours.
const NEVER_TOPICS: &[&str] = &[
    "__.*",
    r"kafka-migrate\..*",
    "mm2-.*",
    r".*\.internal",
    "heartbeats",
    "mskr-.*",
    "_confluent.*",
];
/// Topics that move only when they are named.
const ONLY_NAMED: &[&str] = &[
    "_schemas",
    "connect-configs",
    "connect-offsets",
    "connect-status",
];
/// Groups of the replicators themselves.
const NEVER_GROUPS: &[&str] = &[".*__amazon_msk_replicator_.*"];

/// The four lists of a replicator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Topics to take.
    pub topics: Vec<String>,
    /// Topics to leave out.
    pub topics_to_exclude: Vec<String>,
    /// Groups to take.
    pub groups: Vec<String>,
    /// Groups to leave out.
    pub groups_to_exclude: Vec<String>,
}

/// A glob that has no expression of the same meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotWritable {
    /// As it was written.
    pub glob: String,
    /// Why not.
    pub why: String,
}

/// The lists of this scope; `Err` names every glob that cannot be written so.
pub fn lists(
    topics: &Patterns,
    exclude_topics: &Patterns,
    groups: &Patterns,
    exclude_groups: &Patterns,
) -> Result<Lists, Vec<NotWritable>> {
    let mut bad = Vec::new();
    let mut of = |patterns: &Patterns, longest| -> Vec<String> {
        let mut list = Vec::new();
        for glob in patterns.texts() {
            match expression(glob) {
                Ok(text) if text.len() > longest => bad.push(NotWritable {
                    glob: glob.clone(),
                    why: format!(
                        "its expression has {} letters, AWS takes {longest}",
                        text.len()
                    ),
                }),
                Ok(text) => list.push(text),
                Err(why) => bad.push(NotWritable {
                    glob: glob.clone(),
                    why,
                }),
            }
        }
        list
    };
    let mut lists = Lists {
        topics: of(topics, LONGEST_TOPIC),
        topics_to_exclude: of(exclude_topics, LONGEST_TOPIC),
        groups: of(groups, LONGEST_GROUP),
        groups_to_exclude: of(exclude_groups, LONGEST_GROUP),
    };
    let has_globs = |patterns: &Patterns| patterns.literals().count() < patterns.texts().len();
    if has_globs(topics) {
        let is_named = |name: &str| topics.literals().any(|literal| literal == name);
        let named = ONLY_NAMED.iter().filter(|name| !is_named(name));
        add(
            &mut lists.topics_to_exclude,
            NEVER_TOPICS.iter().chain(named),
        );
    }
    if has_globs(groups) {
        add(&mut lists.groups_to_exclude, NEVER_GROUPS.iter());
    }
    for (list, what) in [
        (&lists.topics, "topics"),
        (&lists.topics_to_exclude, "topics to leave out"),
        (&lists.groups, "groups"),
        (&lists.groups_to_exclude, "groups to leave out"),
    ] {
        if list.len() > MOST {
            bad.push(NotWritable {
                glob: format!("{} {what}", list.len()),
                why: format!("AWS takes {MOST} expressions; write globs in their place"),
            });
        }
    }
    if bad.is_empty() { Ok(lists) } else { Err(bad) }
}

fn add<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a &'a str>) {
    for text in more {
        if !list.iter().any(|one| one == text) {
            list.push((*text).to_owned());
        }
    }
}

/// A glob as a regular expression.
fn expression(glob: &str) -> Result<String, String> {
    let mut text = String::with_capacity(glob.len() + 8);
    let mut letters = glob.chars().peekable();
    let mut depth = 0_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '*' => {
                while letters.next_if_eq(&'*').is_some() {}
                text.push_str(".*");
            }
            '?' => text.push('.'),
            '{' => {
                depth += 1;
                text.push('(');
            }
            '}' if depth > 0 => {
                depth -= 1;
                text.push(')');
            }
            ',' if depth > 0 => text.push('|'),
            '[' => class(&mut letters, &mut text)?,
            '\\' => match letters.next() {
                Some(letter) => escaped(letter, &mut text),
                None => return Err("it ends with a backslash".to_owned()),
            },
            letter => escaped(letter, &mut text),
        }
    }
    match depth {
        0 => Ok(text),
        _ => Err("a brace is not closed".to_owned()),
    }
}

fn class(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    text: &mut String,
) -> Result<(), String> {
    text.push('[');
    if letters.next_if(|one| matches!(one, '!' | '^')).is_some() {
        text.push('^');
    }
    let mut is_first = true;
    for letter in letters.by_ref() {
        match letter {
            ']' if !is_first => {
                text.push(']');
                return Ok(());
            }
            '[' | ']' | '\\' | '^' | '&' | '~' => {
                text.push('\\');
                text.push(letter);
            }
            letter => text.push(letter),
        }
        is_first = false;
    }
    Err("a bracket is not closed".to_owned())
}

fn escaped(letter: char, text: &mut String) {
    if ".+*?()|[]{}^$\\".contains(letter) {
        text.push('\\');
    }
    text.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Patterns::of(&texts).expect("they are globs")
    }

    #[test]
    fn globs_become_expressions_and_names_are_escaped() {
        for (glob, wanted) in [
            ("orders", "orders"),
            ("orders.v1", r"orders\.v1"),
            ("payments-*", "payments-.*"),
            ("a**", "a.*"),
            ("a?c", "a.c"),
            ("{eu,us}-orders", "(eu|us)-orders"),
            ("a,b", "a,b"),
            ("t[0-9]", "t[0-9]"),
            ("t[!ab]", "t[^ab]"),
            (r"a\*b", r"a\*b"),
            ("a+b$", r"a\+b\$"),
        ] {
            assert_eq!(expression(glob).as_deref(), Ok(wanted), "{glob}");
        }
        for broken in ["a{b", "a[b", "a\\"] {
            assert!(expression(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_glob_leaves_out_what_no_glob_may_reach() {
        let none = patterns(&[]);
        let named = lists(&patterns(&["orders"]), &none, &patterns(&["a"]), &none);
        let named = named.expect("it can be written");
        assert_eq!(
            (&*named.topics, &*named.groups),
            (&["orders".to_owned()][..], &["a".to_owned()][..])
        );
        assert!(named.topics_to_exclude.is_empty() && named.groups_to_exclude.is_empty());
        let all = lists(
            &patterns(&["*", "_schemas"]),
            &patterns(&["x-*"]),
            &patterns(&["*"]),
            &none,
        );
        let all = all.expect("it can be written");
        let out = &all.topics_to_exclude;
        assert_eq!(out[0], "x-.*");
        assert!(
            out.iter().any(|one| one == "__.*") && out.iter().any(|one| one == "connect-status")
        );
        assert!(!out.iter().any(|one| one == "_schemas"), "it was named");
        assert_eq!(all.groups_to_exclude, NEVER_GROUPS);
    }

    #[test]
    fn what_aws_would_not_take_is_named() {
        let none = patterns(&[]);
        let long = "x".repeat(250);
        let bad = lists(&patterns(&[&long]), &none, &none, &none).expect_err("too long");
        assert!(bad[0].why.contains("249"), "{bad:?}");
        let many: Vec<String> = (0..101).map(|one| format!("t{one}")).collect();
        let many = Patterns::of(&many).expect("they are globs");
        let bad = lists(&many, &none, &none, &none).expect_err("too many");
        assert!(bad[0].glob.contains("101 topics"), "{bad:?}");
    }
}
