//! Real Apache Kafka clusters (KRaft) on loopback: start, kill, pause, stop, start again, roll.

use std::{
    fmt::Write as _,
    fs,
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::{
    certificates,
    codecs::{self, Record},
    leash::Leash,
    maven,
    ports::Port,
    prepared,
    raw::{Metadata, Wire},
    wait,
    zookeeper::Zookeeper,
};

/// A release of Apache Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V4_1,
    V3_9,
    /// The oldest that is spoken to; it needs ZooKeeper, and is made without the secure listener.
    V2_8,
}

impl Version {
    /// As Maven Central names it.
    pub fn number(self) -> &'static str {
        match self {
            Self::V4_1 => "4.1.1",
            Self::V3_9 => "3.9.1",
            Self::V2_8 => "2.8.2",
        }
    }
}

/// Name and password of the super user of a secure cluster.
pub const ADMIN: (&str, &str) = ("admin", "admin-secret");
/// Name and password of the user the program logs in as; it may only do what a test allows it.
pub const MIGRATOR: (&str, &str) = ("migrator", "migrator-secret");

/// How long a broker may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a cluster is to be.
#[derive(Debug, Clone)]
pub struct Spec {
    name: String,
    version: Version,
    brokers: usize,
    one_controller: bool,
    secure: bool,
    proxied: bool,
    /// Where its classes are to be kept when it ends.
    archive: Option<PathBuf>,
    properties: Vec<(String, String)>,
}

impl Spec {
    /// Which release; 4.1 if not said.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// How many brokers, each a controller too; one if not said.
    #[must_use]
    pub fn brokers(mut self, brokers: usize) -> Self {
        self.brokers = brokers;
        self
    }

    /// Only broker 0 is a controller, so that all others can be stopped while the cluster goes on deciding.
    #[must_use]
    pub fn one_controller(mut self) -> Self {
        self.one_controller = true;
        self
    }

    /// Adds a SASL_SSL listener (SCRAM-SHA-256, SCRAM-SHA-512, PLAIN; users [`ADMIN`] and [`MIGRATOR`]) with a
    /// certificate of a private authority, and turns ACLs on. The plain listener stays for the tests, as a super user.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Adds a plain listener that is advertised at another port, where a [`super::proxy::Proxy`] is to listen.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Its classes are written there when it is stopped, for those that start later.
    #[must_use]
    pub(super) fn archiving(mut self, archive: &Path) -> Self {
        self.archive = Some(archive.to_path_buf());
        self
    }

    /// Sets any server property.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until every broker knows all others.
    pub fn start(self) -> Kafka {
        Kafka::start(self)
    }
}

/// The ports of one broker.
struct Ports {
    plain: Port,
    controller: Port,
    secure: Port,
    behind_proxy: Port,
    proxy: Port,
}

struct Process {
    child: Child,
    // After the child: it is released when the child is gone.
    _leash: Leash,
}

struct Broker {
    ports: Ports,
    home: PathBuf,
    process: Mutex<Option<Process>>,
}

/// A running cluster. Brokers are named by index from 0 (`node.id` is one more). Dropping it kills the brokers and
/// removes their data.
pub struct Kafka {
    spec: Spec,
    brokers: Vec<Broker>,
    zookeeper: Option<Zookeeper>,
    home: PathBuf,
    // Last: removes the directory when everything in it has ended.
    _directory: tempfile::TempDir,
    _leash: Leash,
}

impl Kafka {
    /// A cluster to be started; the name stands in directory names only.
    pub fn spec(name: &str) -> Spec {
        Spec {
            name: name.to_owned(),
            version: Version::V4_1,
            brokers: 1,
            one_controller: false,
            secure: false,
            proxied: false,
            archive: None,
            properties: Vec::new(),
        }
    }

    fn start(spec: Spec) -> Self {
        let directory = super::scratch(&spec.name);
        let home = directory.path().to_path_buf();
        if spec.secure {
            certificates::write_into(&home, &format!("authority of {}", home.display()));
        }
        let brokers: Vec<Broker> = (0..spec.brokers)
            .map(|index| {
                let home = home.join(format!("broker-{index}"));
                fs::create_dir(&home).expect("the scratch directory is writable");
                let ports = Ports {
                    plain: Port::take(),
                    controller: Port::take(),
                    secure: Port::take(),
                    behind_proxy: Port::take(),
                    proxy: Port::take(),
                };
                Broker {
                    ports,
                    home,
                    process: Mutex::new(None),
                }
            })
            .collect();
        let leash = Leash::on_directory(&home);
        let mut kafka = Self {
            spec,
            brokers,
            zookeeper: None,
            home,
            _directory: directory,
            _leash: leash,
        };
        if kafka.spec.version == Version::V2_8 {
            assert!(!kafka.spec.secure, "2.8 is started without security");
            kafka.zookeeper = Some(Zookeeper::start(&kafka));
        }
        for index in 0..kafka.brokers.len() {
            let file = kafka.brokers[index].home.join("server.properties");
            fs::write(file, kafka.properties(index)).expect("the scratch directory is writable");
        }
        if kafka.zookeeper.is_none() {
            kafka.format();
        }
        for index in 0..kafka.brokers.len() {
            kafka.spawn(index);
        }
        kafka.wait_for_brokers();
        kafka
    }

    /// Java with the jars of this version; G1's threads and the second compiler only cost start-up time here.
    pub fn java(&self, heap: &str) -> Command {
        let mut java = Command::new("java");
        java.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args([
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
            ])
            // Native libraries that a killed one unpacked go with its cluster.
            .arg(format!("-Djava.io.tmpdir={}", self.home.display()))
            .arg("-cp")
            .arg(maven::jars(self.spec.version).join("*"))
            .stdin(Stdio::null())
            .process_group(0);
        java
    }

    fn format(&self) {
        let cluster = prepared::fresh_id();
        for (index, broker) in self.brokers.iter().enumerate() {
            prepared::format(self, index, &cluster, &broker.home.join("data"));
        }
    }

    /// Formats storage for a broker like the first one in `home`, in the directory `data`.
    pub(super) fn run_format(&self, home: &Path) {
        let settings = home.join("server.properties");
        // Java takes the last of two.
        let text = format!(
            "{}log.dirs={}\n",
            self.properties(0),
            home.join("data").display()
        );
        fs::write(&settings, text).expect("the scratch directory is writable");
        let mut java = self.java("-Xmx128m");
        java.args(["kafka.tools.StorageTool", "format", "-t"])
            .arg(prepared::fresh_id())
            .arg("-c")
            .arg(settings);
        if self.spec.secure {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                for (name, password) in [ADMIN, MIGRATOR] {
                    java.args([
                        "--add-scram",
                        &format!("{mechanism}=[name={name},password={password}]"),
                    ]);
                }
            }
        }
        let output = java
            .output()
            .unwrap_or_else(|error| panic!("cannot run java ({error}): install a Java 17 runtime"));
        assert!(
            output.status.success(),
            "formatting storage failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn properties(&self, index: usize) -> String {
        let broker = &self.brokers[index];
        let replicas = self.brokers.len().min(3);
        let quorum = (replicas / 2 + 1).min(replicas);
        let mut listeners = format!("PLAINTEXT://127.0.0.1:{}", broker.ports.plain.number());
        if self.zookeeper.is_none() && self.is_controller(index) {
            let controller = broker.ports.controller.number();
            write!(listeners, ",CONTROLLER://127.0.0.1:{controller}").expect("writing to a string");
        }
        let mut advertised = format!("PLAINTEXT://127.0.0.1:{}", broker.ports.plain.number());
        if self.spec.secure {
            write!(
                listeners,
                ",SECURE://127.0.0.1:{}",
                broker.ports.secure.number()
            )
            .expect("writing to a string");
            write!(
                advertised,
                ",SECURE://127.0.0.1:{}",
                broker.ports.secure.number()
            )
            .expect("writing to a string");
        }
        if self.spec.proxied {
            write!(
                listeners,
                ",PROXIED://127.0.0.1:{}",
                broker.ports.behind_proxy.number()
            )
            .expect("writing to a string");
            write!(
                advertised,
                ",PROXIED://127.0.0.1:{}",
                broker.ports.proxy.number()
            )
            .expect("writing to a string");
        }
        let mut text = self.controllers(index);
        write!(
            text,
            "inter.broker.listener.name=PLAINTEXT\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,PROXIED:PLAINTEXT\n\
             listeners={listeners}\n\
             advertised.listeners={advertised}\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             default.replication.factor={replicas}\n\
             min.insync.replicas={quorum}\n\
             offsets.topic.num.partitions=4\n\
             offsets.topic.replication.factor={replicas}\n\
             transaction.state.log.num.partitions=4\n\
             transaction.state.log.replication.factor={replicas}\n\
             transaction.state.log.min.isr={quorum}\n\
             group.initial.rebalance.delay.ms=0\n\
             log.retention.ms=-1\n\
             log.cleaner.dedupe.buffer.size=16777216\n\
             num.network.threads=2\n\
             num.io.threads=4\n\
             background.threads=2\n",
            data = broker.home.join("data").display(),
        )
        .expect("writing to a string");
        if self.zookeeper.is_none() {
            write!(
                text,
                "share.coordinator.state.topic.replication.factor={replicas}\n\
                 share.coordinator.state.topic.min.isr={quorum}\n"
            )
            .expect("writing to a string");
        }
        if self.spec.secure {
            let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            write!(
                text,
                "sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN\n\
                 listener.name.secure.scram-sha-512.sasl.jaas.config={scram}\n\
                 listener.name.secure.scram-sha-256.sasl.jaas.config={scram}\n\
                 listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
                 user_{}=\"{}\" user_{}=\"{}\";\n\
                 listener.name.secure.ssl.keystore.type=PEM\n\
                 listener.name.secure.ssl.keystore.location={}\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:ANONYMOUS;User:{}\n",
                ADMIN.0,
                ADMIN.1,
                MIGRATOR.0,
                MIGRATOR.1,
                self.home.join("broker.pem").display(),
                ADMIN.0,
            )
            .expect("writing to a string");
        }
        for (key, value) in &self.spec.properties {
            writeln!(text, "{key}={value}").expect("writing to a string");
        }
        text
    }

    /// Who decides: the brokers among themselves, or ZooKeeper.
    fn controllers(&self, index: usize) -> String {
        let id = index + 1;
        if let Some(zookeeper) = &self.zookeeper {
            return format!(
                "broker.id={id}\nzookeeper.connect={}\nzookeeper.session.timeout.ms=6000\n",
                zookeeper.address()
            );
        }
        let voters: Vec<String> = (1..)
            .zip(&self.brokers)
            .filter(|(id, _)| self.is_controller(id - 1))
            .map(|(id, broker)| format!("{id}@127.0.0.1:{}", broker.ports.controller.number()))
            .collect();
        let roles = if self.is_controller(index) {
            "broker,controller"
        } else {
            "broker"
        };
        format!(
            "process.roles={roles}\n\
             node.id={id}\n\
             controller.quorum.voters={}\n\
             controller.listener.names=CONTROLLER\n",
            voters.join(",")
        )
    }

    fn is_controller(&self, index: usize) -> bool {
        index == 0 || !self.spec.one_controller
    }

    fn spawn(&self, index: usize) {
        let broker = &self.brokers[index];
        let log = File::options()
            .create(true)
            .append(true)
            .open(broker.home.join("broker.log"))
            .expect("the scratch directory is writable");
        let mut java = self.java("-Xmx384m");
        match &self.spec.archive {
            Some(archive) => java.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display())),
            None if self.zookeeper.is_some() => &mut java,
            None => {
                let archive = prepared::classes(self.spec.version);
                java.arg(format!("-XX:SharedArchiveFile={}", archive.display()))
            }
        };
        let child = java
            .arg("kafka.Kafka")
            .arg(broker.home.join("server.properties"))
            .stdout(log.try_clone().expect("files can be cloned"))
            .stderr(log)
            .spawn()
            .expect("java started before");
        let leash = Leash::on_process(child.id());
        *self.process(index) = Some(Process {
            child,
            _leash: leash,
        });
    }

    fn process(&self, index: usize) -> MutexGuard<'_, Option<Process>> {
        self.brokers[index]
            .process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_running(&self, index: usize) -> bool {
        self.process(index).is_some()
    }

    /// Waits until every running broker sees all running brokers. Panics with the log's end if one of them died.
    fn wait_for_brokers(&self) {
        let running: Vec<usize> = (0..self.brokers.len())
            .filter(|index| self.is_running(*index))
            .collect();
        for &index in &running {
            wait::until(
                &format!("broker {index} of {} answers", self.home.display()),
                PATIENCE,
                || {
                    if let Some(process) = self.process(index).as_mut()
                        && let Some(status) =
                            process.child.try_wait().expect("a child can be asked")
                    {
                        panic!(
                            "broker {index} ended with {status}:\n{}",
                            self.log_tail(index)
                        );
                    }
                    self.metadata_of(index)
                        .is_some_and(|metadata| metadata.brokers.len() >= running.len())
                },
            );
        }
    }

    fn metadata_of(&self, index: usize) -> Option<Metadata> {
        Wire::connect(&self.address(index))
            .and_then(|mut wire| wire.metadata())
            .ok()
    }

    /// The end of a broker's log.
    pub fn log_tail(&self, index: usize) -> String {
        let log =
            fs::read_to_string(self.brokers[index].home.join("broker.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The cluster's directory; `ca.pem` of a secure cluster lies in it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// How many brokers it was made with.
    pub fn size(&self) -> usize {
        self.brokers.len()
    }

    /// Has it an authorizer?
    pub fn is_secure(&self) -> bool {
        self.spec.secure
    }

    /// Which release.
    pub fn version(&self) -> Version {
        self.spec.version
    }

    /// `host:port` of a broker's plain listener.
    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.brokers[index].ports.plain.number())
    }

    fn addresses(&self, port: impl Fn(&Ports) -> &Port) -> Vec<String> {
        self.brokers
            .iter()
            .map(|broker| format!("127.0.0.1:{}", port(&broker.ports).number()))
            .collect()
    }

    /// Plain listeners of all brokers.
    pub fn bootstrap(&self) -> Vec<String> {
        self.addresses(|ports| &ports.plain)
    }

    /// SASL_SSL listeners of all brokers.
    pub fn secure_bootstrap(&self) -> Vec<String> {
        assert!(self.spec.secure, "the cluster was not made secure");
        self.addresses(|ports| &ports.secure)
    }

    /// Where the proxy listens, one address a broker.
    pub fn proxied_bootstrap(&self) -> Vec<String> {
        assert!(
            self.spec.proxied,
            "the cluster was not made to stand behind a proxy"
        );
        self.addresses(|ports| &ports.proxy)
    }

    /// Listeners the proxy connects to, in the order of [`Self::proxied_bootstrap`].
    pub fn behind_proxy(&self) -> Vec<String> {
        self.addresses(|ports| &ports.behind_proxy)
    }

    /// The file with the authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.home.join("ca.pem")
    }

    fn signal(&self, index: usize, signal: Signal) {
        if let Some(process) = self.process(index).as_ref() {
            let pid =
                Pid::from_raw(i32::try_from(process.child.id()).expect("process ids are small"))
                    .expect("process ids are positive");
            kill_process(pid, signal)
                .unwrap_or_else(|error| panic!("cannot signal broker {index}: {error}"));
        }
    }

    fn reap(&self, index: usize) {
        if let Some(mut process) = self.process(index).take() {
            drop(process.child.wait());
        }
    }

    /// From now on no file of this broker can grow beyond that: for Kafka the same as a disk that is full, on which it halts.
    pub fn limit_files(&self, index: usize, bytes: u64) {
        let guard = self.process(index);
        let process = guard.as_ref().expect("the broker runs");
        let id = i32::try_from(process.child.id()).expect("process ids are small");
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        let _before = prlimit(Pid::from_raw(id), Resource::Fsize, limit);
    }

    /// Waits until a broker has ended by itself.
    pub fn wait_until_it_halts(&self, index: usize) {
        wait::until("the broker halts", PATIENCE, || {
            let mut guard = self.process(index);
            let process = guard.as_mut().expect("nobody took it");
            process
                .child
                .try_wait()
                .expect("a child can be asked")
                .is_some()
        });
        self.reap(index);
    }

    /// kill -9.
    pub fn kill(&self, index: usize) {
        self.signal(index, Signal::KILL);
        self.reap(index);
    }

    /// SIGSTOP: the broker keeps its connections and says nothing.
    pub fn pause(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    /// Controlled shutdown.
    pub fn stop(&self, index: usize) {
        self.signal(index, Signal::TERM);
        let status = wait::until_some(&format!("broker {index} shuts down"), PATIENCE, || {
            let mut guard = self.process(index);
            let Some(process) = guard.as_mut() else {
                return Some(None);
            };
            process
                .child
                .try_wait()
                .expect("a child can be asked")
                .map(Some)
        });
        // The JVM ends by the signal it was stopped with, after its shutdown hooks.
        assert!(
            status.is_none_or(|status| status.success()
                || status.code() == Some(143)
                || status.signal() == Some(15)),
            "broker {index} did not stop cleanly: {status:?}"
        );
        self.reap(index);
    }

    /// Starts a broker that was stopped or killed, and waits until all running brokers know each other.
    pub fn start_again(&self, index: usize) {
        self.spawn(index);
        self.wait_for_brokers();
    }

    /// Starts those of these brokers that do not run, at once: one alone may be too few to answer.
    pub fn start_all_again(&self, indices: &[usize]) {
        for &index in indices {
            if !self.is_running(index) {
                self.spawn(index);
            }
        }
        self.wait_for_brokers();
    }

    /// Stops and starts each broker in turn.
    pub fn roll(&self) {
        for index in 0..self.brokers.len() {
            self.stop(index);
            self.start_again(index);
            wait::until("all partitions have leaders", PATIENCE, || {
                self.metadata_of(index).is_some_and(|metadata| {
                    metadata
                        .topics
                        .values()
                        .flatten()
                        .all(|leader| *leader >= 0)
                })
            });
        }
    }

    /// A plain connection to some running broker.
    pub fn wire(&self) -> Wire {
        wait::until_some("a broker takes a connection", PATIENCE, || {
            (0..self.brokers.len())
                .filter(|index| self.is_running(*index))
                .find_map(|index| Wire::connect(&self.address(index)).ok())
        })
    }

    /// What the cluster says of itself.
    pub fn metadata(&self) -> Metadata {
        wait::until_some("the cluster answers", PATIENCE, || {
            self.wire().metadata().ok()
        })
    }

    /// Creates a topic, replicated as far as there are brokers up to three, and waits until its leaders are ready.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let replicas = i16::try_from(self.brokers.len().min(3)).expect("few brokers");
        self.wire()
            .create_topic(name, partitions, replicas, configs)
            .expect("the broker answers")
            .unwrap_or_else(|code| panic!("cannot create topic {name}: {code}"));
        self.wait_for_partitions(name, partitions);
    }

    /// Adds partitions to a topic.
    pub fn grow_topic(&self, name: &str, partitions: i32) {
        self.wire()
            .grow_topic(name, partitions)
            .expect("the broker answers")
            .unwrap_or_else(|code| panic!("cannot grow topic {name}: {code}"));
        self.wait_for_partitions(name, partitions);
    }

    /// Waits until a topic has that many partitions, each with a leader that answers.
    pub fn wait_for_partitions(&self, name: &str, partitions: i32) {
        let wanted = usize::try_from(partitions).expect("partitions are counted from 0");
        wait::until(
            &format!("{name} has {partitions} partitions with leaders"),
            PATIENCE,
            || {
                self.end_offsets(name)
                    .is_some_and(|ends| ends.len() >= wanted)
            },
        );
    }

    /// High watermarks of all partitions of a topic, in order; `None` while one of them has no leader.
    pub fn end_offsets(&self, topic: &str) -> Option<Vec<i64>> {
        let metadata = self.wire().metadata().ok()?;
        let leaders = metadata.topics.get(topic)?;
        let mut ends = vec![-1; leaders.len()];
        for (leader, address) in &metadata.brokers {
            let of_leader =
                |(partition, other): (i32, &i32)| (other == leader).then_some(partition);
            let partitions: Vec<i32> = (0..).zip(leaders).filter_map(of_leader).collect();
            if partitions.is_empty() {
                continue;
            }
            for (partition, end) in Wire::connect(address)
                .ok()?
                .offsets(topic, &partitions, -1)
                .ok()?
            {
                *ends.get_mut(usize::try_from(partition).ok()?)? = end.ok()?;
            }
        }
        ends.iter().all(|end| *end >= 0).then_some(ends)
    }

    /// `host:port` of a partition's leader.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<String> {
        let metadata = self.wire().metadata().ok()?;
        let leader = metadata
            .topics
            .get(topic)?
            .get(usize::try_from(partition).ok()?)?;
        metadata.brokers.get(leader).cloned()
    }

    /// The index of the broker that leads a partition.
    pub fn leader_index(&self, topic: &str, partition: i32) -> Option<usize> {
        let leader = self.leader(topic, partition)?;
        (0..self.brokers.len()).find(|&index| self.address(index) == leader)
    }

    /// A connection to a partition's leader.
    pub fn wire_to_leader(&self, topic: &str, partition: i32) -> Option<Wire> {
        Wire::connect(&self.leader(topic, partition)?).ok()
    }

    /// The high watermark; `None` while there is no leader.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.wire_to_leader(topic, partition)?
            .offset(topic, partition, -1)
            .ok()?
            .ok()
    }

    /// Changes one byte of a record's value in the log of broker 0, checksum and all. The record must lie in an
    /// uncompressed batch; the broker is stopped for it and started again.
    pub fn tamper(&self, topic: &str, partition: i32, record: &Record) {
        self.stop(0);
        let directory = self.brokers[0]
            .home
            .join("data")
            .join(format!("{topic}-{partition}"));
        let segment = directory.join("00000000000000000000.log");
        let mut bytes = fs::read(&segment).expect("the broker holds the partition");
        codecs::tamper(&mut bytes, record);
        fs::write(&segment, bytes).expect("the scratch directory is writable");
        self.start_again(0);
        self.wait_for_partitions(topic, partition + 1);
    }

    /// Cuts the log of a partition off at a batch that begins at `at`, as a disk does that loses what it acknowledged; broker 0 is
    /// stopped for it and started again. The log must be one segment.
    pub fn cut_off(&self, topic: &str, partition: i32, at: i64) {
        self.change_log(topic, partition, |directory| cut_segment(directory, at));
    }

    /// The same on a broker that does not run, for when it is started again.
    pub fn cut_off_while_down(&self, index: usize, topic: &str, partition: i32, at: i64) {
        let data = self.brokers[index].home.join("data");
        let directory = data.join(format!("{topic}-{partition}"));
        cut_segment(&directory, at);
        forget_derived(&data, &directory);
    }

    /// Lets a partition's log on broker 0 be changed, given its directory, while the broker is stopped; what the broker derived from it is
    /// forgotten.
    pub fn change_log(&self, topic: &str, partition: i32, change: impl FnOnce(&Path)) {
        self.stop(0);
        let data = self.brokers[0].home.join("data");
        let directory = data.join(format!("{topic}-{partition}"));
        change(&directory);
        forget_derived(&data, &directory);
        self.start_again(0);
        self.wait_for_partitions(topic, partition + 1);
    }

    /// The file with a partition's first records on broker 0.
    pub fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        let directory = self.brokers[0].home.join("data");
        directory.join(format!("{topic}-{partition}/00000000000000000000.log"))
    }

    /// Bytes of a topic's logs on broker 0.
    pub fn log_bytes(&self, topic: &str) -> u64 {
        let data = fs::read_dir(self.brokers[0].home.join("data")).expect("the broker has data");
        let of_topic = data.flatten().filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .and_then(|name| name.rsplit_once('-'))
                .is_some_and(|(stem, _)| stem == topic)
        });
        let files = of_topic
            .flat_map(|entry| fs::read_dir(entry.path()).expect("partitions are directories"))
            .flatten();
        let logs = files.filter(|file| {
            file.path()
                .extension()
                .is_some_and(|extension| extension == "log")
        });
        logs.filter_map(|file| file.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Partitions of a topic; 0 if there is no such topic.
    pub fn partitions(&self, topic: &str) -> i32 {
        self.metadata().topics.get(topic).map_or(0, |leaders| {
            i32::try_from(leaders.len()).expect("few partitions")
        })
    }
}

/// Cuts a partition's one segment off at a batch that begins at `at`.
fn cut_segment(directory: &Path, at: i64) {
    let segment = directory.join("00000000000000000000.log");
    let bytes = fs::read(&segment).expect("the broker holds the partition");
    let mut length = 0;
    while let Some(rest) = bytes.get(length..).filter(|rest| rest.len() > 12) {
        let base = i64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
        if base >= at {
            break;
        }
        let size = i32::from_be_bytes(rest[8..12].try_into().expect("four bytes"));
        length += 12 + usize::try_from(size).expect("a length");
    }
    assert!(length < bytes.len(), "nothing stands at or behind {at}");
    fs::write(&segment, &bytes[..length]).expect("the scratch directory is writable");
}

/// Takes away what a broker derived from a partition's log, so that it looks at the log itself when it starts.
fn forget_derived(data: &Path, directory: &Path) {
    for entry in fs::read_dir(directory)
        .expect("it is a directory")
        .flatten()
    {
        let path = entry.path();
        let derived = path.extension().is_some_and(|extension| {
            ["index", "timeindex", "txnindex", "snapshot"].contains(&&*extension.to_string_lossy())
        });
        if derived {
            fs::remove_file(path).expect("the scratch directory is writable");
        }
    }
    for name in [
        ".kafka_cleanshutdown",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
    ] {
        drop(fs::remove_file(data.join(name)));
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for index in 0..self.brokers.len() {
            if self.is_running(index) {
                self.kill(index);
            }
        }
    }
}
