//! A page with commands and what they print: taken apart, compared, and written anew.

use std::{fs, path::PathBuf};

/// A page of the documents.
pub struct Page {
    path: PathBuf,
    lines: Vec<String>,
    /// How many lines the page has grown by what was shown anew.
    grown: isize,
}

/// A command of a page.
#[derive(Debug, Clone)]
pub struct Command {
    /// As a shell takes it.
    pub script: String,
    /// What the page shows behind it.
    pub shown: String,
    /// Lines of the page that show it.
    from: usize,
    to: usize,
}

impl Page {
    /// Reads a page, its path from the root of the project.
    pub fn read(path: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path,
            lines: text.lines().map(str::to_owned).collect(),
            grown: 0,
        }
    }

    /// Its commands, in order.
    pub fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut inside = false;
        let mut open = false;
        for (number, line) in self.lines.iter().enumerate() {
            if line.starts_with("```") {
                inside = line == "```console";
                open = false;
            } else if inside && let Some(script) = line.strip_prefix("$ ") {
                commands.push(Command {
                    script: script.to_owned(),
                    shown: String::new(),
                    from: number + 1,
                    to: number + 1,
                });
                open = true;
            } else if inside {
                let command = commands.last_mut().expect("a block begins with a command");
                let more = line.strip_prefix("> ").or((line == ">").then_some(""));
                match more.filter(|_| open) {
                    Some(more) => {
                        command.script += &format!("\n{more}");
                        command.from = number + 1;
                    }
                    None => {
                        open = false;
                        command.shown += &format!("{line}\n");
                    }
                }
                command.to = number + 1;
            }
        }
        assert!(
            commands.len() > 3,
            "{} has hardly a command",
            self.path.display()
        );
        commands
    }

    /// Shows something else behind a command. Commands are to be taken in the order of the page.
    pub fn show(&mut self, command: &Command, said: &str) {
        let place = |line: usize| line.saturating_add_signed(self.grown);
        let said: Vec<String> = said.lines().map(str::to_owned).collect();
        let grown = isize::try_from(said.len()).expect("a page is short")
            - isize::try_from(command.to - command.from).expect("a page is short");
        self.lines
            .splice(place(command.from)..place(command.to), said);
        self.grown += grown;
    }

    /// Puts it back.
    pub fn write(&self) {
        fs::write(&self.path, self.lines.join("\n") + "\n")
            .expect("the project's folder is writable");
    }
}

/// The name of the machine is nobody's business.
pub fn without_this_machine(said: &str) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => said.to_owned(),
        host => said.replace(host, "host-1"),
    }
}

/// What was printed with marks for what differs from run to run; how far columns are apart counts for nothing.
pub fn marked(said: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<String> = unit_joined(line).split_whitespace().map(mark).collect();
        for before in ["process", "offset", "SumOffsetLag"] {
            if let Some(at) = words.iter().position(|word| word == before) {
                words.splice(at + 1..(at + 2).min(words.len()), ["NUMBER".to_owned()]);
            }
        }
        // The lag on both sides: `SumOffsetLag 71 on the source, 64 on the target`.
        if words.iter().any(|word| word == "SumOffsetLag")
            && let Some(at) = words.iter().position(|word| word == "source,")
        {
            words.splice(at + 1..(at + 2).min(words.len()), ["NUMBER".to_owned()]);
        }
        // Long times have two words.
        words.dedup_by(|next, word| {
            let end = next
                .strip_prefix("DURATION")
                .filter(|_| word.ends_with("DURATION"));
            end.map(|end| word.push_str(end)).is_some()
        });
        words.join(" ")
    };
    let lines: Vec<String> = without_this_machine(said).lines().map(line).collect();
    lines.join("\n").trim_end().to_owned()
}

/// A number and its unit become one word: `4.95 KiB`, `1m 54s`.
fn unit_joined(line: &str) -> String {
    let mut joined = line.to_owned();
    for unit in [
        "B", "KiB", "MiB", "GiB", "MB/s", "kB/s", "B/s", "ms", "rec/s",
    ] {
        for end in [" ", ",", ";", ")", "."] {
            joined = joined.replace(&format!(" {unit}{end}"), &format!("{unit}{end}"));
        }
        if let Some(rest) = joined.strip_suffix(&format!(" {unit}")) {
            joined = format!("{rest}{unit}");
        }
    }
    joined
}

fn mark(word: &str) -> String {
    let is_edge = |letter: char| matches!(letter, '(' | ')' | ',' | ';' | ':' | '"' | '.' | '`');
    let bare = word.trim_matches(is_edge);
    let is_number = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ','))
    };
    let parts: Vec<&str> = bare.split(':').collect();
    let is_clock = parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && is_number(part));
    let is_date = bare.len() == 24 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T';
    let is_id = bare.len() == 22
        && bare
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        && bare.chars().any(|letter| letter.is_ascii_uppercase());
    // Some have no digit; no word of ours has eight letters, all of them up to f.
    let is_fingerprint = bare.len() >= 8 && bare.chars().all(|letter| letter.is_ascii_hexdigit());
    let unit = [
        "ms", "s", "m", "h", "d", "KiB", "MiB", "GiB", "B", "MB/s", "kB/s", "B/s", "rec/s", "%",
    ]
    .into_iter()
    .find(|unit| bare.strip_suffix(unit).is_some_and(is_number));
    let marked = match unit {
        _ if is_clock => "TIME",
        _ if is_date => "DATE",
        _ if is_id => "ID",
        _ if is_fingerprint => "HEX",
        Some("ms" | "s" | "m" | "h" | "d") => "DURATION",
        Some(_) => "SIZE",
        None => return word.to_owned(),
    };
    word.replacen(bare, marked, 1)
}

/// What stays the same from run to run while applications work: not who waits for what, nor how much there is of anything.
pub fn under_load(said: &str) -> String {
    let differs = ["owner ", "groups "];
    let is_kept = |line: &&str| {
        let is_other = differs.iter().any(|word| line.starts_with(word));
        !is_other && !line.contains(" waits ") && !line.contains(": shows (")
    };
    let line = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(without_number).collect();
        words.join(" ")
    };
    let lines: Vec<String> = said.lines().filter(is_kept).map(line).collect();
    lines.join("\n")
}

/// A word whose numbers are all the same, and that is there once or more often. Ids of clusters stay for whoever marks them.
fn without_number(word: &str) -> String {
    let bare = word.trim_matches(|letter: char| ",;:()".contains(letter));
    // Fingerprints, of which some have only digits, and ids of journals.
    let is_hex = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    if matches!(bare.len(), 8 | 16 | 36) && bare.chars().all(is_hex) {
        return word.replacen(bare, "HEX", 1);
    }
    if bare.len() == 22 && bare.chars().any(|letter| letter.is_ascii_uppercase()) {
        return word.to_owned();
    }
    let mut text = String::new();
    for letter in word.chars() {
        match letter {
            '0'..='9' if text.ends_with('9') => {}
            '0'..='9' => text.push('9'),
            letter => text.push(letter),
        }
    }
    text = text.replace("9,9", "9").replace("records", "record");
    text.replace("partitions", "partition")
}

/// The number before a word of what was printed.
pub fn number_before(word: &str, said: &str) -> u64 {
    let words: Vec<&str> = said.split_whitespace().collect();
    let at = words.iter().position(|one| *one == word);
    let number = at.and_then(|at| words.get(at.checked_sub(1)?));
    let number = number.and_then(|number| number.replace(',', "").parse().ok());
    number.unwrap_or_else(|| panic!("no number before {word:?} in {said}"))
}

/// Lines that only one of two has.
pub fn difference(shown: &str, said: &str) -> String {
    let (shown, said) = (marked(shown), marked(said));
    let mut text = String::new();
    for (sign, lines, others) in [("-", &shown, &said), ("+", &said, &shown)] {
        for line in lines
            .lines()
            .filter(|line| !others.lines().any(|other| other == *line))
        {
            text += &format!("{sign} {line}\n");
        }
    }
    text
}

#[test]
fn marks_hide_what_differs_and_nothing_else() {
    assert_eq!(
        marked(
            "14:02:11 wrote 30 topics (4.95 KiB, 1m 54s, slowest 1.2 ms) to 6TieU9ZiTU2kVL3TWX6uwQ: orders-0 at offset 12, (1m 30s)\n"
        ),
        "TIME wrote 30 topics (SIZE, DURATION, slowest DURATION) to ID: orders-0 at offset NUMBER (DURATION)"
    );
    assert_ne!(marked("30 topics"), marked("31 topics"));
    assert_ne!(marked("G112 block"), marked("G112 pass"));
}

#[test]
fn under_load_ids_and_fingerprints_are_marked_before_their_digits() {
    let facts = "journal f46d3977-0c39-4d82-9d63-e4c876f8ed9b, 5 plans over\nsettings 38 settings (5441adcb)\nplan d5d0f9029fe5f130, valid";
    let others = "journal 8c7bd144-714a-47fe-b232-5f6c67acea68, 1 plans over\nsettings 7 settings (01234567)\nplan 9074af61e6b81bee, valid";
    assert_eq!(under_load(facts), under_load(others));
    assert_ne!(under_load("3 exact"), under_load("3 waiting"));
}

#[test]
fn a_page_is_taken_apart_and_written_anew() {
    let text = "# A\n\n```console\n$ one\nold\n$ two \\\n> three\n$ four\n\nfive\n```\n\n```sh\n$ none\n```\n```console\n$ six\n```\n";
    let mut page = Page {
        path: PathBuf::new(),
        lines: text.lines().map(str::to_owned).collect(),
        grown: 0,
    };
    let commands = page.commands();
    let scripts: Vec<&str> = commands.iter().map(|command| &*command.script).collect();
    assert_eq!(scripts, ["one", "two \\\nthree", "four", "six"]);
    assert_eq!(commands[2].shown, "\nfive\n");
    for (command, said) in commands.iter().zip(["a\nb\n", "", "c\n", "d\n"]) {
        page.show(command, said);
    }
    let anew = page.lines.join("\n");
    assert_eq!(
        anew,
        "# A\n\n```console\n$ one\na\nb\n$ two \\\n> three\n$ four\nc\n```\n\n```sh\n$ none\n```\n```console\n$ six\nd\n```"
    );
}
