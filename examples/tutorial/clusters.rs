//! The two clusters: started, and asked by other processes to kill brokers and to start them again.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, ExitCode},
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Args;
use kafka_migrate::model::names::Side;

use crate::{
    support::kafka::{Kafka, Version},
    work::{APPLICATIONS, PARTITIONS, TOPICS},
};

/// Locked for as long as the clusters are there.
const LOCK: &str = "clusters.lock";
/// Where they are asked.
const SOCKET: &str = "clusters.socket";
/// Where the applications live.
const HOOKS: &str = "applications";
/// A broker that is gone is given up after so long, less than the nine seconds of Kafka's default: nobody here waits for a pause of Java's.
const GIVEN_UP: &str = "6000";

/// Which brokers
#[derive(Debug, Args)]
pub struct Which {
    /// source or target
    #[arg(value_parser = crate::side)]
    side: Side,
    /// One of them, from 1; all when left out
    broker: Option<usize>,
}

/// Starts both and stays until it is told to end, or until whoever started it has ended.
pub fn run() -> ExitCode {
    let lock = File::create(LOCK).expect("the directory is writable");
    if lock.try_lock().is_err() {
        eprintln!("the clusters of this directory are there already");
        return ExitCode::FAILURE;
    }
    if Path::new(HOOKS).exists() {
        eprintln!("another rehearsal was begun here: begin in an empty directory");
        return ExitCode::FAILURE;
    }
    println!("starting a source and a target (the first time, Maven fetches Apache Kafka)");
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| Kafka::spec("source").version(Version::V3_9).start());
        let target = Kafka::spec("target")
            .version(Version::V4_1)
            .brokers(3)
            .set("broker.session.timeout.ms", GIVEN_UP)
            .start();
        (source.join().expect("the source starts"), target)
    });
    for topic in TOPICS {
        source.create_topic(topic, PARTITIONS, &[]);
    }
    let clusters = Arc::new([(Side::Source, source), (Side::Target, target)]);
    for (side, kafka) in clusters.iter() {
        println!(
            "{side}  Apache Kafka {}  {}",
            kafka.version().number(),
            kafka.bootstrap().join(",")
        );
    }
    write_files(&clusters).expect("the directory is writable");
    let socket = UnixListener::bind(SOCKET).expect("the directory is writable");
    for name in APPLICATIONS {
        start(name, &clusters[0].1);
    }
    println!("{} work on the source", APPLICATIONS.join(", "));
    println!("ready");
    let served = clusters.clone();
    // Their brokers die with this process, however it ends.
    thread::spawn(move || {
        for asked in socket.incoming().flatten() {
            answer(asked, &served).unwrap_or_else(|error| eprintln!("{error}"));
        }
    });
    wait_for_the_end();
    drop(fs::remove_file(SOCKET));
    for (side, kafka) in clusters.iter() {
        for index in 0..kafka.size() {
            kafka.kill(index);
        }
        println!("{side}  gone");
    }
    ExitCode::SUCCESS
}

/// SIGTERM, SIGINT, or no parent any more.
fn wait_for_the_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it starts");
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).expect("signals can be listened to");
        let mut int = signal(SignalKind::interrupt()).expect("signals can be listened to");
        let parent = std::os::unix::process::parent_id();
        while std::os::unix::process::parent_id() == parent {
            tokio::select! {
                _ = term.recv() => return,
                _ = int.recv() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    });
}

/// The migration file, with the addresses of these clusters, and the hooks.
fn write_files(clusters: &[(Side, Kafka); 2]) -> io::Result<()> {
    let mut migration = include_str!("migration.toml").to_owned();
    for (side, kafka) in clusters {
        let quoted: Vec<String> = kafka
            .bootstrap()
            .iter()
            .map(|one| format!("{one:?}"))
            .collect();
        let word = format!("[{}]", side.to_string().to_uppercase());
        migration = migration.replace(&word, &format!("[{}]", quoted.join(", ")));
    }
    fs::write("migration.toml", migration)?;
    fs::create_dir(HOOKS)?;
    for (name, text) in [
        ("start.sh", include_str!("start.sh")),
        ("stop.sh", include_str!("stop.sh")),
    ] {
        let path = Path::new(HOOKS).join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// As kafka-migrate would.
fn start(name: &str, source: &Kafka) {
    let status = Command::new("applications/start.sh")
        .env("KAFKA_MIGRATE_APPLICATION", name)
        .env("KAFKA_MIGRATE_SIDE", "source")
        .env("KAFKA_MIGRATE_BOOTSTRAP", source.bootstrap().join(","))
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{name} does not start"
    );
}

/// Are the clusters of this directory there?
pub fn are_there() -> bool {
    File::open(LOCK).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// Asks the process that has them.
pub fn ask(what: &str, which: &Which) -> ExitCode {
    let broker = which.broker.map_or_else(String::new, |one| one.to_string());
    let said = UnixStream::connect(SOCKET).and_then(|mut socket| {
        socket.write_all(format!("{what} {} {broker}\n", which.side).as_bytes())?;
        let mut said = String::new();
        socket.read_to_string(&mut said).map(|_| said)
    });
    match said {
        Ok(said) if !said.is_empty() => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Ok(_) => {
            eprintln!("there is no such broker");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("no clusters were started in this directory: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(mut asked: UnixStream, clusters: &[(Side, Kafka); 2]) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&asked).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [what, side, broker @ ..] = &words[..] else {
        return Ok(());
    };
    let found = clusters.iter().find(|(one, _)| one.to_string() == *side);
    let Some((side, kafka)) = found else {
        return Ok(());
    };
    let all = 0..kafka.size();
    let meant: Vec<usize> = match broker.first().map(|one| one.parse::<usize>()) {
        None => all.collect(),
        Some(Ok(one)) => all.filter(|index| index + 1 == one).collect(),
        Some(Err(_)) => Vec::new(),
    };
    let done = match *what {
        "kill" => {
            for &index in &meant {
                kafka.kill(index);
            }
            "killed"
        }
        _ => {
            kafka.start_all_again(&meant);
            "started"
        }
    };
    for index in meant {
        writeln!(asked, "broker {} of the {side}: {done}", index + 1)?;
    }
    asked.shutdown(Shutdown::Both)
}
