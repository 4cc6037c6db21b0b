//! Children that cannot outlive this process, however it dies.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A watchdog: when this process ends without dropping the leash (killed, aborted, or a `static` that is never
/// dropped), it kills the child and removes its directory.
///
/// It is a shell that waits at the end of a pipe. `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that
/// started the child ends, and every test runs in a thread of its own.
pub struct Leash {
    watchdog: Child,
}

impl Leash {
    /// Watches over a process.
    pub fn on_process(pid: u32) -> Self {
        Self::watch(&pid.to_string(), "")
    }

    /// Watches over a directory; it is removed a little after the processes are killed.
    pub fn on_directory(path: &Path) -> Self {
        Self::watch(
            "",
            path.to_str().expect("build directories have UTF-8 names"),
        )
    }

    fn watch(pid: &str, directory: &str) -> Self {
        // Ctrl-C goes to the whole foreground process group: the watchdog must survive it to do its work.
        let script = r#"
            trap '' INT TERM HUP
            read -r released && exit 0
            [ -n "$1" ] && kill -9 "$1"
            [ -n "$2" ] && { sleep 1; rm -rf "$2"; }
        "#;
        let watchdog = Command::new("sh")
            .args(["-c", script, "watchdog", pid, directory])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self { watchdog }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            drop(pipe.write_all(b"released\n"));
        }
        drop(self.watchdog.wait());
    }
}
