//! One shell for a whole page: what one command leaves (variables, files, something in the background) the next one finds.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{kafka::Version, leash::Leash, maven, tool::program};

/// How long a command may take where nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the shell says when a command has ended; no command prints it.
const DONE: &str = "--- the command ended with ";

/// A running shell; dropping it kills it and what it started.
pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// How long a command may take.
    pub patience: Duration,
    _leash: Leash,
}

/// What a command printed, on both outputs as on a terminal, and its exit code.
pub struct Ended {
    pub said: String,
    pub code: i32,
}

impl Shell {
    /// In a directory, with the program and Kafka's own tools on the path.
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, Vec::new())
    }

    /// The same, with these variables, and none of AWS's besides.
    pub fn start_with(directory: &Path, variables: Vec<(&'static str, String)>) -> Self {
        let tools = directory.join("bin");
        fs::create_dir(&tools).expect("the scratch directory is writable");
        let program = program();
        write_tool(
            &tools,
            "kafka-migrate",
            &format!("exec '{}'", program.get_program().display()),
        );
        // The tools of 3.9 lie in the broker's own jar.
        let jars = maven::jars(Version::V3_9).join("*");
        for (name, class) in [
            ("kafka-acls", "AclCommand"),
            ("kafka-configs", "ConfigCommand"),
        ] {
            let java = format!(
                "exec java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp '{}' kafka.admin.{class}",
                jars.display()
            );
            write_tool(&tools, name, &java);
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("KAFKA_MIGRATE_") || text.starts_with("AWS_") {
                shell.env_remove(&name);
            }
        }
        // Whoever runs the tests is nobody's business.
        shell.env_remove("USER").env_remove("LOGNAME");
        let mut child = shell
            .current_dir(directory)
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let leash = Leash::on_process(child.id());
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
                line.clear();
            }
        });
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(b"exec 2>&1\n").expect("the shell reads");
        Self {
            child,
            stdin,
            lines,
            patience: PATIENCE,
            _leash: leash,
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&mut self, script: &str) -> Ended {
        // The shell reads its commands from its input: theirs is another.
        let text = format!("{{\n{script}\n}} < /dev/null\necho \"{DONE}$?\"\n");
        self.stdin
            .write_all(text.as_bytes())
            .expect("the shell reads");
        let begun = Instant::now();
        let mut said = String::new();
        loop {
            let left = self.patience.saturating_sub(begun.elapsed());
            let line = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("{script}: {error}\n{said}"));
            // Behind what ends without a newline it stands in the same line.
            match line.split_once(DONE) {
                Some((rest, code)) => {
                    said += rest;
                    let code = code.trim().parse().expect("the shell says the exit code");
                    return Ended { said, code };
                }
                None => said += &line,
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"))
            .expect("process ids are positive");
        kill_process_group(pid, Signal::KILL).ok();
        drop(self.child.wait());
    }
}

/// Puts a command on the path.
pub fn write_tool(tools: &Path, name: &str, what: &str) {
    let path = tools.join(name);
    fs::write(&path, format!("#!/bin/sh\n{what} \"$@\"\n"))
        .expect("the scratch directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .expect("the scratch directory is writable");
}
