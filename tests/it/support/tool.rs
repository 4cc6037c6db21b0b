//! Our binary as a child process, with a migration file of its own.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::pipe::fcntl_getpipe_size;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::{
    kafka::{Kafka, MIGRATOR},
    leash::Leash,
    wait,
};

/// Bytes that a pipe for records takes.
const PIPE_ROOM: usize = 128 << 10;
/// How long a command that ends by itself may take.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How the program reaches a cluster.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    /// The plain listener.
    Plain(&'a Kafka),
    /// The SASL_SSL listener, as [`MIGRATOR`], with this mechanism (`scram-sha-512`, `scram-sha-256`, `plain`).
    Secure(&'a Kafka, &'a str),
    /// The listener behind the proxy.
    Proxied(&'a Kafka),
}

impl Access<'_> {
    fn section(self, side: &str) -> String {
        let bootstrap = match self {
            Self::Plain(kafka) => kafka.bootstrap(),
            Self::Secure(kafka, _) => kafka.secure_bootstrap(),
            Self::Proxied(kafka) => kafka.proxied_bootstrap(),
        };
        let mut text = format!("[{side}]\nbootstrap = {bootstrap:?}\n");
        if let Self::Secure(kafka, mechanism) = self {
            write!(
                text,
                "[{side}.auth]\nmechanism = {mechanism:?}\nusername = {:?}\npassword = {{ file = \"{side}.password\" }}\n[{side}.tls]\nca = {:?}\n",
                MIGRATOR.0,
                kafka.ca(),
            )
            .expect("writing to a string");
        }
        text
    }
}

/// A migration: its name, and a directory with its file and its state.
pub struct Migration {
    pub name: String,
    directory: tempfile::TempDir,
}

impl Migration {
    /// One way, from `source` to `target`, of these topics (names or globs).
    pub fn new(name: &str, source: Access<'_>, target: Access<'_>, topics: &[&str]) -> Self {
        let text = format!(
            "version = 1\nname = {name:?}\n\n{}\n{}\n[scope]\ntopics = {topics:?}\n\n[replication]\nshards = 2\n",
            source.section("source"),
            target.section("target"),
        );
        Self::from_text(name, &text)
    }

    /// The usual one: of one topic, whose name it has, between plain listeners.
    pub fn of_topic(source: &Kafka, target: &Kafka, topic: &str) -> Self {
        Self::new(
            topic,
            Access::Plain(source),
            Access::Plain(target),
            &[topic],
        )
    }

    /// With a file written by the test.
    pub fn from_text(name: &str, text: &str) -> Self {
        let migration = Self {
            name: name.to_owned(),
            directory: super::scratch(name),
        };
        fs::write(migration.file(), text).expect("the scratch directory is writable");
        for side in ["source", "target"] {
            fs::write(
                migration.directory.path().join(format!("{side}.password")),
                MIGRATOR.1,
            )
            .expect("the scratch directory is writable");
        }
        migration
    }

    /// Where the migration file lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The migration file.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("migration.toml")
    }

    /// A path beside the migration file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes the migration file: the first `from` becomes `to`.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.file()).expect("the file was written");
        assert!(
            text.contains(from),
            "the migration file has no {from:?}:\n{text}"
        );
        fs::write(self.file(), text.replacen(from, to, 1))
            .expect("the scratch directory is writable");
    }

    /// A command of the program on this migration, with the usual state directory.
    pub fn command(&self, arguments: &[&str]) -> Call {
        self.command_in("state", arguments)
    }

    /// The same with a state directory of another name, as on another machine.
    pub fn command_in(&self, state: &str, arguments: &[&str]) -> Call {
        let mut command = program();
        command
            .arg("--config")
            .arg(self.file())
            .arg("--state")
            .arg(self.path(state))
            .args(arguments)
            .current_dir(self.directory.path());
        Call(command)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).finish()
    }

    /// `replicate --until caught-up`, which must succeed.
    #[track_caller]
    pub fn catch_up(&self) -> Finished {
        let finished = self.run(&["replicate", "--until", "caught-up"]);
        finished.assert_exit(0);
        finished
    }

    /// `verify`, which must find no difference.
    #[track_caller]
    pub fn verify(&self) -> Finished {
        let finished = self.run(&["verify"]);
        finished.assert_exit(0);
        finished
    }
}

/// The program, as Cargo built it for the tests or beside the examples; or another build of it, which `KAFKA_MIGRATE_PROGRAM` names.
pub fn program() -> Command {
    let built = || {
        option_env!("CARGO_BIN_EXE_kafka-migrate").map_or_else(
            || super::build_directory().join("debug").join("kafka-migrate"),
            PathBuf::from,
        )
    };
    let path = std::env::var_os("KAFKA_MIGRATE_PROGRAM").map_or_else(built, PathBuf::from);
    let mut command = Command::new(path);
    // Nothing of the caller's settings, and no colours.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KAFKA_MIGRATE_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// A command about to be run.
pub struct Call(pub Command);

impl Call {
    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Tool {
        let line = format!("{:?}", self.0);
        let mut child = self
            .0
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        let leash = Leash::on_process(child.id());
        let stdout = Text::collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Text::collect(child.stderr.take().expect("stderr is a pipe"));
        Tool {
            line,
            child,
            stdout,
            stderr,
            _leash: leash,
        }
    }

    /// Runs it to its end.
    pub fn finish(self) -> Finished {
        self.start().wait(PATIENCE)
    }
}

/// What a pipe has said so far.
struct Text {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Text {
    fn collect(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                sink.lock()
                    .expect("nobody panics with this lock")
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn now(&self) -> String {
        self.text
            .lock()
            .expect("nobody panics with this lock")
            .clone()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        self.now()
    }
}

/// A running command. Dropping it kills it.
pub struct Tool {
    line: String,
    child: Child,
    stdout: Text,
    stderr: Text,
    _leash: Leash,
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    pub line: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails with both outputs unless the exit code is this one.
    #[track_caller]
    pub fn assert_exit(&self, code: i32) {
        assert_eq!(self.code(), Some(code), "{self}");
    }

    /// Fails with both outputs unless stderr contains this.
    #[track_caller]
    pub fn assert_says(&self, text: &str) {
        assert!(
            self.stderr.contains(text),
            "stderr does not say {text:?}: {self}"
        );
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\n{}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.status,
            tail(&self.stdout),
            tail(&self.stderr)
        )
    }
}

/// The last lines of a long text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

impl Tool {
    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"))
            .expect("process ids are positive")
    }

    fn signal(&self, signal: Signal) {
        // It may have ended meanwhile.
        kill_process(self.pid(), signal).ok();
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// As by Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// kill -9; answers when it is gone.
    pub fn kill(mut self) -> Finished {
        self.signal(Signal::KILL);
        self.reap()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be asked")
            .is_some()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// From now on it may have only so many files open.
    pub fn limit_open_files(&self, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let _before = prlimit(Some(self.pid()), Resource::Nofile, limit).expect("it runs");
    }

    /// Pipes for records that stay in the kernel, of which it has both ends. Those of librdkafka, which a child of this process inherits, have
    /// less room.
    pub fn pipes(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs");
        let mut ends: Vec<PathBuf> = open
            .filter_map(|file| {
                let path = file.ok()?.path();
                let link = fs::read_link(&path).ok()?;
                link.to_string_lossy().starts_with("pipe:").then_some(())?;
                let pipe = fs::File::open(&path).ok()?;
                (fcntl_getpipe_size(&pipe).ok()? == PIPE_ROOM).then_some(link)
            })
            .collect();
        ends.sort();
        ends.chunk_by(|a, b| a == b)
            .filter(|ends| ends.len() == 2)
            .count()
    }

    /// The most memory it ever held resident, in bytes (Linux: `VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        self.resident("VmHWM:")
    }

    /// What of its resident memory are files: its own code, which is larger in a build for tests (Linux: `RssFile`).
    pub fn code_memory(&self) -> u64 {
        self.resident("RssFile:")
    }

    fn resident(&self, field: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap_or_else(|| panic!("it ended before it was measured"));
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("a number of KiB")
            << 10
    }

    /// Both outputs so far.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout.now(), self.stderr.now())
    }

    /// Waits until either output contains `text`; panics with the outputs if it ends first.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        let line = self.line.clone();
        wait::until(&format!("{line} says {text:?}"), limit, || {
            if self.said().contains(text) {
                return true;
            }
            if self.has_ended() {
                // The pipes may hold what was said last.
                let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
                assert!(
                    stdout.contains(text) || stderr.contains(text),
                    "{line} ended without saying {text:?}\n{}\n{}",
                    tail(&stdout),
                    tail(&stderr)
                );
                return true;
            }
            false
        });
    }

    /// Waits until it ends by itself; kills it and panics after `limit`.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Finished {
        let began = std::time::Instant::now();
        while !self.has_ended() {
            if began.elapsed() > limit {
                self.signal(Signal::KILL);
                panic!("still running after {limit:?}: {}", self.reap());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.reap()
    }

    fn reap(&mut self) -> Finished {
        let status = self.child.wait().expect("a child can be waited for");
        Finished {
            line: self.line.clone(),
            status,
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::CONT);
            self.signal(Signal::KILL);
            drop(self.child.wait());
        }
    }
}

/// The file in which a debug build writes the step it is at, read after it was killed: the step and the batches in flight.
pub fn last_step(path: &Path) -> Option<(String, u64)> {
    let text = fs::read_to_string(path).ok()?;
    let mut words = text.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
