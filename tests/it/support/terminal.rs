//! A command on a terminal of its own: everything it wrote there, and how it ended.

use std::{
    fs::File,
    io::Read as _,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use super::{leash::Leash, tool::Call, wait};

/// A terminal, and what opens its other end, where programs are.
pub fn pseudo_terminal() -> (OwnedFd, impl Fn() -> Stdio) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&terminal).expect("it can be used");
    unlockpt(&terminal).expect("it can be used");
    let path = ptsname(&terminal, Vec::new()).expect("it has a name");
    let end = move || {
        let path = path.to_str().expect("a plain path");
        // Else it becomes that of the tests, where they have none.
        let opened = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        Stdio::from(opened.expect("its other end opens"))
    };
    (terminal, end)
}

/// A running command whose stdout and stderr are a terminal. Dropping it kills it.
pub struct OnTerminal {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    _leash: Leash,
}

impl OnTerminal {
    /// Starts it, as somebody would at a terminal: nothing says that it is a build machine's.
    pub fn start(mut call: Call) -> Self {
        let (terminal, end) = pseudo_terminal();
        let child = call
            .0
            .env("TERM", "xterm")
            .env_remove("CI")
            .env_remove("CLICOLOR_FORCE")
            .stdout(end())
            .stderr(end())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", call.0));
        // The ends that were opened here would keep the terminal open for ever.
        drop(call);
        let said = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&said);
        let mut screen = File::from(terminal);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of a terminal is an error: nobody holds its other side any more.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                sink.lock()
                    .expect("nobody panics with this lock")
                    .push_str(&text);
            }
        });
        Self {
            _leash: Leash::on_process(child.id()),
            child,
            said,
            reader: Some(reader),
        }
    }

    /// Everything so far, with what a terminal obeys.
    pub fn said(&self) -> String {
        self.said
            .lock()
            .expect("nobody panics with this lock")
            .clone()
    }

    /// Waits until the terminal was sent this.
    #[track_caller]
    pub fn wait_for(&self, text: &str, limit: Duration) {
        wait::until(&format!("{text:?} on the terminal"), limit, || {
            self.said().contains(text)
        });
    }

    /// As by Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids are small");
        let id = Pid::from_raw(id).expect("process ids are positive");
        // It may have ended meanwhile.
        kill_process(id, signal).ok();
    }

    /// Waits until it ends by itself. Answers with its exit code and all that it wrote, as plain text.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> (Option<i32>, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                break status;
            }
            assert!(began.elapsed() < limit, "still running: {}", self.said());
            thread::sleep(Duration::from_millis(10));
        };
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        (status.code(), plain(&self.said()))
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::KILL);
            drop(self.child.wait());
        }
    }
}

/// Without what a terminal obeys: escape sequences and carriage returns.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                // Parameters, then the letter that ends the sequence.
                while letters
                    .next()
                    .is_some_and(|letter| !letter.is_ascii_alphabetic())
                {}
            }
            '\r' => {}
            letter => plain.push(letter),
        }
    }
    plain
}
