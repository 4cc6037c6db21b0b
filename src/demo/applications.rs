//! The three applications, and a supervisor that runs each on the side where a file says so, which is what hooks write.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{
    failed,
    tally::{Numbers, Tally},
    worker::{Notes, Work, Worker},
};
use crate::error::Failure;

/// Partitions of each topic.
pub const PARTITIONS: i32 = 3;
/// The topics of the story.
pub const TOPICS: [&str; 2] = ["orders", "order_status"];
/// The applications, in the order in which records pass them.
pub const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];

const SIDES: [&str; 2] = ["source", "target"];
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);

fn work(name: &str) -> Work {
    match name {
        "orders" => Work::Writes("orders"),
        "order-status" => Work::Reads("orders", Some("order_status")),
        _ => Work::Reads("order_status", None),
    }
}

/// Makes the topics.
pub async fn make_topics(servers: &str) -> Result<(), Failure> {
    let refused = |why: String| failed(format!("topics cannot be made: {why}"));
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .create()
        .map_err(|error| refused(error.to_string()))?;
    let topics = TOPICS.map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)));
    let made = admin.create_topics(&topics, &AdminOptions::new()).await;
    for one in made.map_err(|error| refused(error.to_string()))? {
        one.map_err(|(name, code)| refused(format!("{name}: {code}")))?;
    }
    Ok(())
}

/// The applications at work. Dropped, all of them end.
pub struct Applications {
    directory: PathBuf,
    notes: BTreeMap<&'static str, Notes>,
    troubles: Arc<Mutex<Vec<String>>>,
    supervisor: AbortHandle,
    stop: Arc<AtomicBool>,
}

impl Applications {
    /// Supervises them in a directory: hooks and files lie in `applications` there. None of them runs yet.
    pub fn new(directory: &Path, servers: [String; 2]) -> Result<Self, Failure> {
        let directory = directory.join("applications");
        write_hooks(&directory)
            .map_err(|error| failed("hooks cannot be written").because(&error))?;
        let notes: BTreeMap<_, _> = NAMES.map(|name| (name, Notes::default())).into();
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let supervised = Supervised {
            directory: directory.clone(),
            servers,
            notes: notes.clone(),
            troubles: Arc::clone(&troubles),
            all: Arc::clone(&stop),
            running: BTreeMap::new(),
        };
        Ok(Self {
            directory,
            notes,
            troubles,
            supervisor: tokio::spawn(supervised.run()).abort_handle(),
            stop,
        })
    }

    fn file(&self, what: &str, name: &str, side: &str) -> PathBuf {
        self.directory.join(format!("{what}-{name}-{side}"))
    }

    /// Starts one as its hook does, and waits until it runs.
    pub async fn start(&self, name: &str, side: &str) -> Result<(), Failure> {
        fs::write(self.file("want", name, side), "")
            .map_err(|error| failed("an application cannot be started").because(&error))?;
        self.wait(&format!("{name} does not start"), || {
            self.file("runs", name, side).exists()
        })
        .await
    }

    async fn stop(&self, name: &str, side: &str) -> Result<(), Failure> {
        // One that is not wanted is stopped already.
        let _ = fs::remove_file(self.file("want", name, side));
        self.wait(&format!("{name} does not end"), || {
            !self.file("runs", name, side).exists()
        })
        .await
    }

    async fn wait(&self, what: &str, is_so: impl Fn() -> bool) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            self.check()?;
            if Instant::now() > until {
                return Err(failed(what));
            }
            sleep(LOOK_EVERY).await;
        }
        self.check()
    }

    fn check(&self) -> Result<(), Failure> {
        let troubles = self.troubles.lock().expect("nobody panics with it");
        match troubles.first() {
            Some(trouble) => Err(failed(trouble.clone())),
            None => Ok(()),
        }
    }

    /// Stops whoever writes, lets the others read all that was written, and stops them.
    pub async fn end(&self, side: &str, patience: Duration) -> Result<(), Failure> {
        self.stop(NAMES[0], side).await?;
        let until = Instant::now() + patience;
        let all = self.sent();
        // What is lost does not come: it is counted then.
        while NAMES[1..].iter().any(|name| self.tally(name).given < all) && Instant::now() < until {
            sleep(LOOK_EVERY * 5).await;
        }
        for name in &NAMES[1..] {
            self.stop(name, side).await?;
        }
        Ok(())
    }

    /// How many records *orders* wrote, and brokers acknowledged.
    pub fn sent(&self) -> u64 {
        let numbers = self.numbers(NAMES[0]);
        numbers.values().map(|of| of.len() as u64).sum()
    }

    /// What an application that reads was given.
    pub fn tally(&self, name: &str) -> Tally {
        Tally::of(&self.numbers(NAMES[0]), &self.numbers(name))
    }

    fn numbers(&self, name: &str) -> Numbers {
        let notes = self.notes.get(name);
        let numbers =
            notes.map(|notes| notes.numbers.lock().expect("nobody panics with it").clone());
        numbers.unwrap_or_default()
    }
}

impl Drop for Applications {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.supervisor.abort();
    }
}

/// Hooks that say by files where an application is wanted, and wait until it is so.
fn write_hooks(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let told = "$KAFKA_MIGRATE_APPLICATION-$KAFKA_MIGRATE_SIDE";
    for (name, act, until) in [("stop", "rm -f", "-e"), ("start", "touch", "! -e")] {
        let text = format!(
            "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 1\n{act} \"want-{told}\"\nwhile [ {until} \"runs-{told}\" ]; do sleep 0.05; done\n"
        );
        let path = directory.join(format!("{name}.sh"));
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// One that runs: its flag, and its thread.
type Running = (Arc<AtomicBool>, JoinHandle<Result<(), String>>);

struct Supervised {
    directory: PathBuf,
    servers: [String; 2],
    notes: BTreeMap<&'static str, Notes>,
    troubles: Arc<Mutex<Vec<String>>>,
    /// All are to end.
    all: Arc<AtomicBool>,
    running: BTreeMap<(&'static str, usize), Running>,
}

impl Supervised {
    async fn run(mut self) {
        loop {
            for name in NAMES {
                for (at, side) in SIDES.into_iter().enumerate() {
                    self.look(name, at, side).await;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&mut self, name: &'static str, at: usize, side: &str) {
        let wanted = self.directory.join(format!("want-{name}-{side}")).exists();
        let runs = self.directory.join(format!("runs-{name}-{side}"));
        let key = (name, at);
        if wanted && !self.running.contains_key(&key) {
            let stop = Arc::new(AtomicBool::new(false));
            let worker = Worker {
                name,
                work: work(name),
                servers: self.servers[at].clone(),
                notes: self.notes.get(name).cloned().unwrap_or_default(),
                stop: Arc::clone(&stop),
                all: Arc::clone(&self.all),
            };
            let said = format!("{name} on the {side}");
            let thread = thread::spawn(move || {
                let ended = worker.run();
                ended.map_err(|error| format!("{said} cannot go on: {error}"))
            });
            self.running.insert(key, (stop, thread));
            self.note(fs::write(&runs, ""));
        } else if !wanted && let Some((stop, thread)) = self.running.remove(&key) {
            stop.store(true, Ordering::Relaxed);
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            match ended {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(trouble))) => self.trouble(trouble),
                _ => self.trouble(format!("{name} on the {side} ended unexpectedly")),
            }
            self.note(fs::remove_file(&runs));
        } else if let Some((_, thread)) = self.running.get(&key)
            && thread.is_finished()
            && let Some((_, thread)) = self.running.remove(&key)
            && let Ok(Err(trouble)) = thread.join()
        {
            self.trouble(trouble);
        }
    }

    fn note(&self, done: io::Result<()>) {
        if let Err(error) = done {
            self.trouble(format!(
                "a file of the applications cannot be changed: {error}"
            ));
        }
    }

    fn trouble(&self, text: String) {
        self.troubles
            .lock()
            .expect("nobody panics with it")
            .push(text);
    }
}
