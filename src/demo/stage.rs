//! Where the tool's own commands are run and shown, each a process of its own in one directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::failed;
use crate::{error::Failure, exit::Exit};

/// What a command that is run on says goes here.
const LOG: &str = "replicate.log";
const FILE: &str = "migration.toml";
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a command that is run on may take to get going, and to end once it is asked to.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a command is run again that is not ready, and after how long.
const MOST: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// A directory, a program, and somebody who watches.
pub struct Stage<'a> {
    program: &'a Path,
    directory: &'a Path,
    output: &'a (dyn Fn() -> Stdio + Sync),
    say: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Stage<'a> {
    /// Commands of this program, in this directory; `output` is where what they print on stdout goes.
    pub fn new(
        program: &'a Path,
        directory: &'a Path,
        output: &'a (dyn Fn() -> Stdio + Sync),
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        Self {
            program,
            directory,
            output,
            say,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What surrounds the demo is not what a reader has: no variable of the tool goes along.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("KAFKA_MIGRATE_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn show(&self, line: &str) {
        (self.say)("");
        (self.say)(&format!("$ {line}"));
    }

    /// Runs a command to its end, which has to be a good one; what it prints is seen as it comes.
    pub async fn run(&self, arguments: &[&str]) -> Result<(), Failure> {
        match self.code_of(arguments).await? {
            Some(0) => Ok(()),
            code => Err(ended_badly(arguments, code)),
        }
    }

    /// The same, again as long as it answers that not everything has arrived: applications write on meanwhile.
    pub async fn run_until_ready(&self, arguments: &[&str]) -> Result<(), Failure> {
        let mut code = self.code_of(arguments).await?;
        for _ in 0..MOST {
            if code != Some(Exit::NotReady.code().into()) {
                break;
            }
            sleep(PAUSE).await;
            code = self.code_of(arguments).await?;
        }
        match code {
            Some(0) => Ok(()),
            code => Err(ended_badly(arguments, code)),
        }
    }

    async fn code_of(&self, arguments: &[&str]) -> Result<Option<i32>, Failure> {
        let line = line_of(arguments);
        self.show(&line);
        let mut command = self.command(arguments);
        let ended = command.stdout((self.output)()).status().await;
        let cannot = |error| failed(format!("`{line}` cannot be run")).because(&error);
        ended.map(|status| status.code()).map_err(cannot)
    }

    /// Starts a command that runs on beside the others, and waits until it has said this word.
    pub async fn run_on(&self, arguments: &[&str], word: &str) -> Result<Child, Failure> {
        let line = line_of(arguments);
        self.show(&format!("{line} > {LOG} 2>&1 &"));
        let cannot =
            |error: std::io::Error| failed(format!("`{line}` cannot be run")).because(&error);
        let log = fs::File::create(self.path(LOG)).map_err(cannot)?;
        let both = log.try_clone().map_err(cannot)?;
        let mut child = self
            .command(arguments)
            .stdout(log)
            .stderr(both)
            .spawn()
            .map_err(cannot)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.path(LOG)).unwrap_or_default();
            let ended = child.try_wait().map_err(cannot)?;
            if said.lines().any(|line| line.contains(word)) {
                said.lines().for_each(|line| (self.say)(line));
                return Ok(child);
            }
            if ended.is_some() || Instant::now() > until {
                said.lines().for_each(|line| (self.say)(line));
                return Err(failed(format!("`{line}` has not come so far as {word:?}")));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the engine has ended, as `cleanup` asked it to: so that the same command would go on.
    pub async fn ends(&self, mut child: Child) -> Result<(), Failure> {
        let ended = timeout(PATIENCE, child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.code() == Some(Exit::Stopped.code().into()) => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("the engine ended with {status}"))),
            Ok(Err(error)) => Err(failed("the engine cannot be waited for").because(&error)),
            Err(_) => Err(failed("the engine does not end")),
        }
    }

    /// Edits the migration file as a person would, and shows the lines that are new then.
    pub fn edit(&self) -> Result<(), Failure> {
        let cannot =
            |error: std::io::Error| failed("the migration file cannot be edited").because(&error);
        let text = fs::read_to_string(self.path(FILE)).map_err(cannot)?;
        let (edited, new) = edited(&text);
        fs::write(self.path(FILE), edited).map_err(cannot)?;
        self.show(&format!(
            "editor {FILE}    # what init cannot know; new lines:"
        ));
        new.iter().for_each(|line| (self.say)(line));
        Ok(())
    }

    /// How many records all moves announced to be read again, and how many moves there were, by the report.
    pub fn announced(&self) -> Result<(u64, usize), Failure> {
        let text = fs::read(self.path("report.json"));
        let report: Option<Value> = text
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        let moves = report
            .as_ref()
            .and_then(|report| report["moves"].as_array());
        let moves = moves.ok_or_else(|| failed("the report has no moves"))?;
        let groups = moves
            .iter()
            .filter_map(|one| one["groups"].as_array())
            .flatten();
        let announced = groups
            .map(|group| group["announced"].as_u64().unwrap_or(0))
            .sum();
        Ok((announced, moves.len()))
    }
}

fn line_of(arguments: &[&str]) -> String {
    format!("kafka-migrate {}", arguments.join(" "))
}

fn ended_badly(arguments: &[&str], code: Option<i32>) -> Failure {
    let how = code.map_or_else(
        || "by a signal".to_owned(),
        |code| format!("with exit {code}"),
    );
    failed(format!("`{}` ended {how}", line_of(arguments)))
}

/// What `init` cannot know of the applications: who stops and starts them, and who writes without telling a name.
const HOOKS: &str =
    "hooks = { stop = \"applications/stop.sh\", start = \"applications/start.sh\" }";
const WRITES: (&str, &str) = ("order-status", "writes = [\"order_status\"]");
/// What stands nowhere yet. A minute is what a gate has to be open when left out: a demo does not wait so long before each move.
const MORE: &str = "
[[application]]
name = \"orders\"
writes = [\"orders\"]
hooks = { stop = \"applications/stop.sh\", start = \"applications/start.sh\" }

[replication]
two_way = true

[ready]
hold = \"1s\"
";

/// The file as it is to be, and the lines that are new, each behind those that say where it stands.
fn edited(text: &str) -> (String, Vec<String>) {
    let (mut lines, mut new) = (Vec::new(), Vec::new());
    let mut table = "";
    for line in text.lines() {
        if line.starts_with('[') {
            table = line;
        }
        lines.push(line);
        if table == "[[application]]" && line.starts_with("name = ") {
            let is_writer = line.contains(WRITES.0);
            let more = [Some(HOOKS), is_writer.then_some(WRITES.1)];
            let more: Vec<&str> = more.into_iter().flatten().collect();
            new.extend([table, line]);
            new.extend(&more);
            lines.extend(&more);
        }
    }
    lines.extend(MORE.lines());
    new.extend(MORE.lines());
    let new = new.into_iter().map(str::to_owned).collect();
    (lines.join("\n") + "\n", new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_init_is_edited_and_what_is_new_is_shown() {
        let text = "[scope]\nname = \"x\"\n[[application]]\nname = \"order-status\"\nreads = [\"orders\"]\n";
        let (edited, new) = edited(text);
        let (_, writes) = WRITES;
        assert_eq!(
            edited,
            format!(
                "[scope]\nname = \"x\"\n[[application]]\nname = \"order-status\"\n{HOOKS}\n{writes}\nreads = [\"orders\"]\n{MORE}"
            )
        );
        assert_eq!(new.len(), 4 + MORE.lines().count());
        assert!(new.iter().all(|line| edited.contains(line)));
    }
}
