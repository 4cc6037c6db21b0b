//! The applications and their clients, which hooks stop and start on either side through files.

use std::{
    collections::BTreeMap,
    fs,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{librdkafka::Place, noticed::Noticed};
use crate::{
    phases::applications::write_hooks,
    support::{kafka::Kafka, leash::Leash, maven, wait},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Who they are, what they run, and the first number that their producers send.
///
/// `another` shares topics with the rest. `early` and `left` are writers too: on the target before writing has moved there, and on the source
/// once it has.
pub const APPLICATIONS: [(&str, &[&str], u64); 6] = [
    ("writers", &WRITERS, 0),
    ("readers", &["java consumer", "librdkafka consumer"], 0),
    ("counts", &["java streams"], 0),
    ("another", &["librdkafka consumer"], 0),
    ("early", &WRITERS, 1_000_000),
    ("left", &WRITERS, 2_000_000),
];
const WRITERS: [&str; 4] = [
    "java producer",
    "java transactions",
    "librdkafka producer",
    "librdkafka transactions",
];

/// As whom it logs in; that is its password too.
pub fn login(who: &str) -> &str {
    match who {
        "early" | "left" | "open" => "writers",
        who => who,
    }
}

/// As a cluster is told of their logins.
pub fn logins() -> (&'static str, String) {
    let of = |(who, _, _): &(&str, _, _)| format!(" user_{who}=\"{who}\"");
    let all: String = APPLICATIONS.iter().map(of).collect();
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    (
        "listener.name.secure.plain.sasl.jaas.config",
        format!("{module}{all};"),
    )
}

/// A process that runs Java's clients, told what by its stdin.
struct Java {
    child: Child,
    said: Option<JoinHandle<()>>,
    stdin: ChildStdin,
    _leash: Leash,
}

impl Java {
    fn start(directory: &Path, stem: &str, kafka: &Kafka, noticed: &Noticed) -> Self {
        let version = kafka.version();
        let jars = maven::fetch(
            &format!("clients-{}", version.number()),
            include_str!("clients.xml"),
            version,
        );
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/Clients.java");
        let classes = directory.join("classes");
        let entries = fs::read_dir(&jars).expect("they were fetched").flatten();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        let path = std::env::join_paths(&paths).expect("no colon in a name");
        // A runtime has no `javac`.
        let compiled = kafka
            .java("-Xmx256m")
            .arg("-cp")
            .arg(jars.join("*"))
            .arg("org.eclipse.jdt.internal.compiler.batch.Main")
            .args([
                "-source",
                "17",
                "-target",
                "17",
                "-nowarn",
                "-proc:none",
                "-cp",
            ])
            .arg(&path)
            .arg("-d")
            .args([classes.as_os_str(), source.as_ref()])
            .output()
            .expect("java started before");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        let mut java: Command = kafka.java("-Xmx512m");
        let log = File::create(directory.join("java.log")).expect("it can be made");
        let mut child = java
            .arg("-cp")
            .arg(format!(
                "{}:{}",
                jars.join("*").display(),
                classes.display()
            ))
            .args(["Clients", stem])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("java started before");
        let leash = Leash::on_process(child.id());
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let noticed = noticed.clone();
        let said = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let words: Vec<&str> = line.splitn(5, ' ').collect();
                if let [who, client, side, what, more @ ..] = &words[..] {
                    let more = more.first().copied().unwrap_or_default();
                    noticed.push(who, &format!("java {client}"), side, what, more);
                }
            }
        });
        Self {
            stdin: child.stdin.take().expect("stdin is a pipe"),
            child,
            said: Some(said),
            _leash: leash,
        }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("it listens");
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(self.said.take().map(JoinHandle::join));
    }
}

/// The applications, and a supervisor that runs each where a file says so.
pub struct Cast {
    directory: PathBuf,
    stop: Arc<AtomicBool>,
    supervisor: Option<JoinHandle<()>>,
    pub noticed: Noticed,
}

impl Cast {
    /// None of them runs yet; hooks and files lie in `applications` of this directory.
    pub fn new(directory: &Path, stem: &str, source: &Kafka, target: &Kafka) -> Self {
        let directory = directory.join("applications");
        fs::create_dir_all(&directory).expect("it can be made");
        write_hooks(&directory);
        let noticed = Noticed::default();
        for (side, kafka) in [("source", source), ("target", target)] {
            for (who, ..) in APPLICATIONS {
                let text = properties(kafka, who);
                fs::write(directory.join(format!("{who}-{side}.properties")), text)
                    .expect("it is written");
            }
        }
        let mut supervised = Supervised {
            java: Java::start(&directory, stem, source, &noticed),
            directory: directory.clone(),
            stem: stem.to_owned(),
            clusters: [("source", source), ("target", target)]
                .map(|(side, kafka)| (side, kafka.secure_bootstrap().join(","), kafka.ca())),
            noticed: noticed.clone(),
            threads: BTreeMap::new(),
            of_java: BTreeMap::new(),
            next: BTreeMap::new(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let supervisor = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                supervised.look();
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            directory,
            stop,
            supervisor: Some(supervisor),
            noticed,
        }
    }

    /// Starts one by hand, as a person would.
    pub fn start(&self, who: &str, side: &str) {
        fs::write(self.directory.join(format!("want-{who}-{side}")), "").expect("it is written");
        let runs = self.directory.join(format!("runs-{who}-{side}"));
        wait::until("the application runs", PATIENCE, || runs.exists());
    }

    /// Where it runs, and the source if it runs nowhere.
    pub fn side(&self, who: &str) -> &'static str {
        match self.directory.join(format!("runs-{who}-target")).exists() {
            true => "target",
            false => "source",
        }
    }

    /// Stops one by hand.
    pub fn stop(&self, who: &str, side: &str) {
        fs::remove_file(self.directory.join(format!("want-{who}-{side}"))).expect("it runs");
        let runs = self.directory.join(format!("runs-{who}-{side}"));
        wait::until("the application has ended", PATIENCE, || !runs.exists());
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.supervisor.take().map(JoinHandle::join));
    }
}

fn properties(kafka: &Kafka, who: &str) -> String {
    let login = login(who);
    format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n\
         sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{login}\" password=\"{login}\";\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        kafka.secure_bootstrap().join(","),
        kafka.ca().display(),
    )
}

/// A client that is told to stop, and its thread.
type Running = (Arc<AtomicBool>, JoinHandle<()>);

struct Supervised {
    java: Java,
    directory: PathBuf,
    stem: String,
    clusters: [(&'static str, String, PathBuf); 2],
    noticed: Noticed,
    threads: BTreeMap<(&'static str, &'static str), Vec<Running>>,
    /// How many of Java's were ever started.
    of_java: BTreeMap<(&'static str, &'static str), usize>,
    next: BTreeMap<(&'static str, &'static str), Arc<AtomicU64>>,
}

impl Supervised {
    fn look(&mut self) {
        for (who, clients, first) in APPLICATIONS {
            for side in ["source", "target"] {
                let wanted = self.directory.join(format!("want-{who}-{side}")).exists();
                let running = self.directory.join(format!("runs-{who}-{side}"));
                if wanted && !running.exists() {
                    for client in clients {
                        self.start(who, client, side, first);
                    }
                    fs::write(&running, "").expect("it is written");
                } else if !wanted && running.exists() {
                    self.stop(who, clients, side);
                    fs::remove_file(&running).expect("it is there");
                }
            }
        }
    }

    fn start(&mut self, who: &'static str, client: &'static str, side: &'static str, first: u64) {
        let (library, kind) = client.split_once(' ').expect("two words");
        if library == "java" {
            self.java
                .tell(&format!("start {who} {kind} {side} {first}"));
            *self.of_java.entry((who, side)).or_default() += 1;
            return;
        }
        let cluster = self.clusters.iter().find(|cluster| cluster.0 == side);
        let (_, servers, authority) = cluster.expect("there are two");
        let next = self.next.entry((who, client));
        let stop = Arc::new(AtomicBool::new(false));
        let place = Place {
            who: who.to_owned(),
            kind,
            side: side.to_owned(),
            stem: self.stem.clone(),
            servers: servers.clone(),
            authority: authority.clone(),
            noticed: self.noticed.clone(),
            next: Arc::clone(next.or_insert_with(|| Arc::new(AtomicU64::new(first)))),
            stop: Arc::clone(&stop),
        };
        let threads = self.threads.entry((who, side)).or_default();
        threads.push((stop, place.start()));
    }

    fn stop(&mut self, who: &'static str, clients: &[&str], side: &'static str) {
        for kind in clients.iter().filter_map(|one| one.strip_prefix("java ")) {
            self.java.tell(&format!("stop {who} {kind} {side}"));
        }
        for (stop, _) in self.threads.get(&(who, side)).into_iter().flatten() {
            stop.store(true, Ordering::Relaxed);
        }
        for (_, thread) in self.threads.remove(&(who, side)).unwrap_or_default() {
            thread.join().expect("it ends well");
        }
        // One that could not go on has ended before.
        let started = self.of_java.get(&(who, side)).copied().unwrap_or_default();
        wait::until("Java's clients have ended", PATIENCE, || {
            let ended = self.noticed.all(|event| {
                event.who == who
                    && event.side == side
                    && event.what == "down"
                    && event.client.starts_with("java")
            });
            ended.len() == started
        });
    }
}
