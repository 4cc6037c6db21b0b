//! What the documents say can be done, checked against the program, the source and the build.
//!
//! Every `sh` block is read line by line: a line of kafka-migrate goes through the real binary's command line, a line of
//! cargo names things that exist, and a line no test knows is refused. Every `toml` block is a migration file the program
//! accepts. `KAFKA_MIGRATE_REWRITE=screen` fills the README's screen from a real run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{self, tool};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files below a folder that end so, as paths from the root.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders of the project can be listed") {
            let path = entry.expect("folders of the project can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                let path = path.strip_prefix(root()).expect("it lies below the root");
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Every page that speaks to people.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    pages.extend(files("docs", "md"));
    pages
}

/// A fenced block: where it begins, its language, its lines.
struct Block {
    at: String,
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in read(page).lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    at: format!("{page}:{}", number + 1),
                    language: language.trim().to_owned(),
                    text: String::new(),
                });
            }
            (None, None) => {}
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
        }
    }
    assert!(open.is_none(), "{page} ends inside a block");
    blocks
}

fn blocks_of(language: &str) -> Vec<Block> {
    pages()
        .iter()
        .flat_map(|page| blocks(page))
        .filter(|block| block.language == language)
        .collect()
}

/// The commands of a `sh` block: comments gone, continued lines joined, `a && b` apart.
fn commands(block: &Block) -> Vec<Vec<String>> {
    block
        .text
        .replace("\\\n", " ")
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| line.split(" && "))
        .map(|command| command.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// What is wrong with a command, if anything is.
fn fault(command: &[String]) -> Option<String> {
    let (settings, words): (Vec<&str>, Vec<&str>) = {
        let split = command
            .iter()
            .position(|word| !is_setting(word))
            .unwrap_or(command.len());
        let words = command.iter().map(String::as_str);
        (
            words.clone().take(split).collect(),
            words.skip(split).collect(),
        )
    };
    for setting in settings {
        let name = setting.split('=').next().unwrap_or_default();
        if !variables().contains(name) {
            return Some(format!("nothing reads the variable {name}"));
        }
    }
    match words.as_slice() {
        ["kafka-migrate", arguments @ ..] => refused_by_the_program(arguments),
        ["cargo", arguments @ ..] => unknown_to_cargo(arguments),
        ["just", recipe] => {
            let known = read("justfile").lines().any(|line| {
                line.strip_suffix(':') == Some(recipe) || line.starts_with(&format!("{recipe} "))
            });
            (!known).then(|| format!("the justfile has no recipe {recipe}"))
        }
        [script] if script.starts_with(".ci/") || script.starts_with("scripts/") => {
            (!root().join(script).is_file()).then(|| format!("there is no {script}"))
        }
        ["cp", from, _] => {
            (!root().join(from).is_file()).then(|| format!("there is no {from} to copy"))
        }
        ["apt-get", "install", packages @ ..] | ["sudo", "apt-get", "install", packages @ ..] => {
            let installed = read(".ci/run");
            packages
                .iter()
                .find(|package| !installed.contains(**package))
                .map(|package| format!(".ci/run does not install {package}"))
        }
        _ => Some("no test knows this command".to_owned()),
    }
}

fn is_setting(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    })
}

/// Variables that the program, its tests or Rust's tools read.
fn variables() -> BTreeSet<String> {
    let mut known = BTreeSet::from(["RUSTDOCFLAGS".to_owned()]);
    for folder in ["src", "tests"] {
        for file in files(folder, "rs") {
            let text = read(&file);
            for (at, _) in text.match_indices("KAFKA_MIGRATE_") {
                known.insert(
                    text[at..]
                        .chars()
                        .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                        .collect(),
                );
            }
        }
    }
    known
}

/// Asks the real command line: with `--help` at the end it answers without doing anything, but only once it has accepted
/// the command and every flag before.
fn refused_by_the_program(arguments: &[&str]) -> Option<String> {
    let output = tool::program()
        .args(arguments)
        .arg("--help")
        .output()
        .expect("the program starts");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn unknown_to_cargo(arguments: &[&str]) -> Option<String> {
    let Some((verb, arguments)) = arguments.split_first() else {
        return Some("cargo alone does nothing".to_owned());
    };
    if !["run", "test", "build", "install", "clippy", "doc", "fmt"].contains(verb) {
        return Some(format!("no test knows cargo {verb}"));
    }
    let mut arguments = arguments.iter();
    let mut integration = false;
    while let Some(argument) = arguments.next() {
        match *argument {
            "--" => break,
            "--example" => {
                let name = arguments.next()?;
                let places = [
                    format!("examples/{name}.rs"),
                    format!("examples/{name}/main.rs"),
                ];
                if !places.iter().any(|place| root().join(place).is_file()) {
                    return Some(format!("there is no example {name}"));
                }
            }
            "--test" => {
                let name = arguments.next()?;
                if !root().join(format!("tests/{name}/main.rs")).is_file() {
                    return Some(format!("there is no test {name}"));
                }
                integration = true;
            }
            "--path" => {
                let path = arguments.next()?;
                if !root().join(path).join("Cargo.toml").is_file() {
                    return Some(format!("there is no package in {path}"));
                }
            }
            "--lib" | "--bins" | "--locked" | "--release" | "--quiet" | "--all-targets"
            | "--check" | "--no-deps" => {}
            name if *verb == "test" && !name.starts_with('-') => {
                let folder = if integration { "tests" } else { "src" };
                if !is_a_test_name(folder, name) {
                    return Some(format!("no test below {folder} has {name} in its name"));
                }
            }
            other => return Some(format!("no test knows the argument {other}")),
        }
    }
    None
}

/// Does a filter of test names meet a module or a function?
fn is_a_test_name(folder: &str, filter: &str) -> bool {
    let last = filter.rsplit("::").next().unwrap_or(filter);
    files(folder, "rs").iter().any(|file| {
        let text = read(file);
        Path::new(file).file_stem().is_some_and(|stem| stem == last)
            || text.contains(&format!("mod {last}"))
            || text.match_indices("fn ").any(|(at, _)| {
                text[at + 3..]
                    .split('(')
                    .next()
                    .is_some_and(|name| name.contains(last))
            })
    })
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut checked = 0;
    let mut faults = Vec::new();
    for block in blocks_of("sh") {
        for command in commands(&block) {
            checked += 1;
            if let Some(fault) = fault(&command) {
                faults.push(format!("{}: {}: {fault}", block.at, command.join(" ")));
            }
        }
    }
    assert!(checked > 8, "only {checked} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_check_of_commands_refuses_what_is_none() {
    let refused = |line: &str| {
        let command: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        fault(&command).is_some()
    };
    for line in [
        "kafka-migrate frobnicate",
        "kafka-migrate config --bogus",
        "kafka-migrate config --color purple",
        "cargo run --example no-such-example",
        "cargo test --test no-such-test",
        "cargo test --test it no_such_test_anywhere_but_here_",
        "cargo frobnicate",
        "just no-such-recipe",
        concat!("KAFKA_MIGRATE", "_NO_SUCH=1 cargo test"),
        "rm -rf target",
    ] {
        assert!(refused(line), "{line} was accepted");
    }
    for line in [
        "kafka-migrate config -c other.toml",
        "cargo run --example first-copy",
        "KAFKA_MIGRATE_SEED=7 cargo test --test it kills -- --nocapture",
        "just check",
    ] {
        assert!(!refused(line), "{line} was refused");
    }
}

#[test]
fn every_migration_file_in_the_documents_is_accepted() {
    let blocks: Vec<Block> = blocks_of("toml")
        .into_iter()
        .filter(|block| block.text.contains("version"))
        .collect();
    assert!(!blocks.is_empty(), "the README shows no migration file");
    for block in blocks {
        let directory = support::scratch("documents");
        fs::write(directory.path().join("migration.toml"), &block.text)
            .expect("the scratch directory is writable");
        // The files it refers to: passwords, and ca.pem.
        support::certificates::write_into(directory.path(), "an authority");
        for name in block.text.split('"').filter(|text| text.ends_with(".pem")) {
            let (from, to) = (directory.path().join("ca.pem"), directory.path().join(name));
            if from != to {
                fs::copy(from, to).expect("the scratch directory is writable");
            }
        }
        for name in block
            .text
            .split('"')
            .filter(|text| text.ends_with(".password"))
        {
            fs::write(directory.path().join(name), "something\n")
                .expect("the scratch directory is writable");
        }
        let output = tool::program()
            .args(["config", "-c", "migration.toml"])
            .current_dir(directory.path())
            .output()
            .expect("the program starts");
        assert!(
            output.status.success(),
            "{}: {}",
            block.at,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn exit_codes_in_the_readme_are_those_of_the_program() {
    use kafka_migrate::exit::Exit;
    let page = read("README.md");
    for exit in [
        Exit::Ok,
        Exit::Bug,
        Exit::Usage,
        Exit::NotReady,
        Exit::Source,
        Exit::Target,
        Exit::Aws,
        Exit::Refused,
        Exit::Differs,
        Exit::Stopped,
        Exit::Attention,
        Exit::Interrupted,
    ] {
        let row = format!("| {} | {} |", exit.code(), exit.name());
        assert!(page.contains(&row), "the README has no row {row:?}");
    }
}

/// Codes like "K501" in a file's code, its tests left out.
fn codes(file: &str) -> BTreeSet<String> {
    if file.ends_with("/tests.rs") || file.contains("/tests/") {
        return BTreeSet::new();
    }
    let text = read(file);
    let code = text.split("mod tests {").next().unwrap_or_default();
    code.split('"')
        .filter(|word| {
            word.len() == 4
                && word.starts_with('K')
                && word[1..].chars().all(|c| c.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_code_that_stops_a_partition_is_in_the_fine_print() {
    let page = read("docs/fine-print.md");
    let mut made = BTreeSet::new();
    for file in files("src/engine", "rs") {
        made.extend(
            codes(&file)
                .into_iter()
                .filter(|code| code.starts_with("K5")),
        );
    }
    let told: BTreeSet<String> = page
        .match_indices("K5")
        .map(|(at, _)| page[at..].chars().take(4).collect())
        .collect();
    assert!(made.len() > 10, "only {made:?} were found in src/engine");
    assert_eq!(
        made, told,
        "left: what the engine says, right: what docs/fine-print.md explains"
    );
}

#[test]
fn a_code_means_one_thing() {
    let mut makers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files("src", "rs") {
        for code in codes(&file) {
            makers.entry(code).or_default().insert(file.clone());
        }
    }
    // A fault of the program itself may show anywhere; another migration's ledger is met by `replicate` and by `status`.
    for shared in ["K000", "K410"] {
        makers.remove(shared);
    }
    assert!(makers.len() > 30, "only {} codes were found", makers.len());
    makers.retain(|_, files| files.len() > 1);
    assert!(
        makers.is_empty(),
        "made in more than one place: {makers:#?}"
    );
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        let folder = root()
            .join(&page)
            .parent()
            .map(PathBuf::from)
            .expect("a page lies in a folder");
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap_or_default();
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !link.contains("://") && !folder.join(file).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_stands_in_the_map() {
    let map = read("docs/index.md");
    let missing: Vec<String> = files("docs", "md")
        .into_iter()
        // One line of the map speaks for all decisions, and one for the pages of all codes.
        .filter(|page| page != "docs/index.md" && !page.starts_with("docs/decisions/"))
        .filter(|page| !page.starts_with("docs/errors/"))
        .filter(|page| !map.contains(&format!("]({})", page.trim_start_matches("docs/"))))
        .collect();
    assert!(missing.is_empty(), "docs/index.md lacks {missing:?}");
}

/// The file that a test's path of modules leads to, and whether it holds a test of that name.
fn has_test(path: &str) -> bool {
    let mut modules: Vec<&str> = path.split("::").collect();
    let Some(name) = modules.pop() else {
        return false;
    };
    let mut places = vec![modules.clone()];
    if modules.last() == Some(&"tests") {
        // Most stand in the file that they test.
        modules.pop();
        places.push(modules);
    }
    let files = places.iter().flat_map(|modules| {
        let path = modules.join("/");
        ["tests/it", "src"]
            .map(|root| [format!("{root}/{path}.rs"), format!("{root}/{path}/mod.rs")])
            .concat()
    });
    files
        .filter_map(|file| fs::read_to_string(root().join(file)).ok())
        .any(|text| {
            let function = format!("fn {name}(");
            let before = text.split(&function).next().unwrap_or_default();
            // Property tests stand in a block of their own, where the attribute is the macro's to see.
            text.contains(&function)
                && before
                    .lines()
                    .rev()
                    .take(6)
                    .any(|line| line.contains("#[test]") || line.contains("#[tokio::test]"))
        })
}

#[test]
fn every_test_that_the_page_of_proof_names_is_one() {
    let page = read("docs/proof.md");
    let named: BTreeSet<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches("::").count() > 1)
        .collect();
    assert!(named.len() > 50, "only {} are named", named.len());
    let missing: Vec<&&str> = named.iter().filter(|path| !has_test(path)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
    for known in ["D", "N", "C", "★"] {
        let rows = page.lines().filter(|line| {
            let number = line.strip_prefix(&format!("| {known}"));
            number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        });
        let wanted = match known {
            "D" => 10,
            "N" => 9,
            "C" => 15,
            _ => 25,
        };
        assert_eq!(rows.count(), wanted, "rows {known}1 and so on");
    }
}

#[test]
fn every_code_of_the_fine_print_stands_on_the_page_of_proof() {
    let (print, proof) = (read("docs/fine-print.md"), read("docs/proof.md"));
    let rows = print.lines().filter_map(|line| line.strip_prefix("| K5"));
    let missing: Vec<String> = rows
        .map(|row| format!("K5{}", &row[..2]))
        .filter(|code| !proof.contains(code) && !code.starts_with("K55"))
        .collect();
    assert!(missing.is_empty(), "docs/proof.md lacks {missing:?}");
}

/// The README's screen is what the demo printed: its beginning, each command with the last line that it printed, its end.
#[test]
fn the_screen_in_the_readme_is_a_run_of_the_demo() {
    if rewrites("screen") {
        // As on a terminal, both outputs in the order in which they come.
        let output = Command::new("sh")
            .args(["-c", "exec \"$0\" demo 2>&1"])
            .arg(tool::program().get_program())
            .current_dir(root())
            .env("NO_COLOR", "1")
            .output()
            .expect("a shell starts");
        let said = without_this_machine(&String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{said}");
        return generated("README.md", "screen", "screen", &shortened(&said));
    }
    let page = read("README.md");
    let screen = between(&page, "README.md", "screen");
    let commands = commands_of(screen);
    assert!(
        commands.len() > 8 && screen.contains("lost 0, again 0, out of order 0"),
        "the README's screen is not filled: run `just screen`"
    );
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let words = words
            .strip_suffix(&[">", "replicate.log", "2>&1", "&"])
            .unwrap_or(&words);
        assert_eq!(refused_by_the_program(words), None, "{command:?}");
    }
}

/// What the demo said, with dots for what was left out: of each command the last line that it printed stays.
fn shortened(said: &str) -> String {
    let mut parts = said.split("\n$ ");
    let beginning = parts.next().unwrap_or_default().trim_end();
    let mut screen = beginning.to_owned() + "\n";
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let (part, end) = match (parts.peek(), part.split_once("\norders sent ")) {
            (None, Some((part, end))) => (part, Some(end)),
            _ => (part, None),
        };
        let mut lines = part.lines().filter(|line| !line.is_empty());
        let command = lines.next().unwrap_or_default();
        // The next command comes by itself here.
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with("next: ")).collect();
        screen += &format!("\n$ {command}\n");
        if lines.len() > 1 {
            screen += "…\n";
        }
        if let Some(last) = lines.last() {
            screen += &format!("{last}\n");
        }
        if let Some(end) = end {
            screen += &format!("\norders sent {}\n", end.trim_end());
        }
    }
    screen
}

/// Commands of the tool, in their order.
fn commands_of(screen: &str) -> Vec<String> {
    let lines = screen.lines();
    let commands = lines.filter_map(|line| line.strip_prefix("$ kafka-migrate "));
    commands.map(str::to_owned).collect()
}

/// The page's block shows the commands that were run, ports aside.
#[track_caller]
pub fn shows_the_same_commands(page: &str, name: &str, said: &str) {
    let without_ports = |text: &str| -> Vec<String> {
        let commands = commands_of(text).into_iter();
        let words = |command: String| {
            let words = command
                .split(' ')
                .map(|word| match word.starts_with("127.0.0.1:") {
                    true => "SERVER",
                    false => word,
                });
            words.collect::<Vec<_>>().join(" ")
        };
        let mut commands: Vec<String> = commands.map(words).collect();
        // One that is not ready yet is run again.
        commands.dedup();
        commands
    };
    let text = read(page);
    assert_eq!(
        without_ports(between(&text, page, name)),
        without_ports(said),
        "{page} shows other commands: run `just screen`"
    );
}

/// The name of the machine and its folders are nobody's business.
fn without_this_machine(text: &str) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let text = text
        .replace(&support::build_directory().display().to_string(), "target")
        .replace(&format!("{}/", root().display()), "");
    match host.trim() {
        "" => text,
        host => text.replace(host, "host-1"),
    }
}

fn rewrites(what: &str) -> bool {
    std::env::var("KAFKA_MIGRATE_REWRITE").is_ok_and(|asked| asked == what)
}

/// The text of the block between `<!-- name -->` and `<!-- /name -->`.
fn between<'a>(text: &'a str, page: &str, name: &str) -> &'a str {
    let (open, close) = (
        format!("<!-- {name} -->\n\n```text\n"),
        format!("```\n\n<!-- /{name} -->"),
    );
    text.split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close))
        .unwrap_or_else(|| panic!("{page} has no block named {name}"))
        .0
}

/// Compares a generated block of a page with what it should be, or writes it anew where `KAFKA_MIGRATE_REWRITE` asks for it.
#[track_caller]
pub fn generated(page: &str, name: &str, rewrite: &str, text: &str) {
    let now = read(page);
    let stands = between(&now, page, name);
    if stands == text {
        return;
    }
    if rewrites(rewrite) {
        let from = stands.as_ptr() as usize - now.as_ptr() as usize;
        let written = format!("{}{text}{}", &now[..from], &now[from + stands.len()..]);
        fs::write(root().join(page), written).expect("the project's folder is writable");
        return;
    }
    let missing: Vec<&str> = text
        .lines()
        .filter(|line| !stands.lines().any(|stands| stands == *line))
        .collect();
    let left_over: Vec<&str> = stands
        .lines()
        .filter(|line| !text.lines().any(|text| text == *line))
        .collect();
    panic!(
        "{page}: the block {name} is stale; missing: {missing:#?}, left over: {left_over:#?}\n\
         `KAFKA_MIGRATE_REWRITE={rewrite} cargo test --test it -- layers documents` writes it anew"
    );
}
