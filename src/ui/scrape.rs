//! The numbers of a running copy for a metrics scraper: Prometheus text, served on an address that was asked for.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    clock::BootInstant,
    error::Failure,
    events::{Event, GroupsProgress, PartitionProgress, Progress},
    exit::Exit,
};

/// A request of a scraper is no longer.
const LONGEST: u64 = 16 << 10;
/// Whoever takes longer to ask or to listen is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many are answered at once; others wait.
const AT_ONCE: usize = 8;
/// After a connection that could not be taken, as when files run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Kinds of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
}

/// Every number: its name, its kind, its unit, its meaning.
const NUMBERS: &[(&str, Kind, Unit, &str)] = &[
    (
        "kafka_migrate_up",
        Kind::Gauge,
        Unit::Count,
        "1 while the engine copies, 0 before and after",
    ),
    (
        "kafka_migrate_build_info",
        Kind::Gauge,
        Unit::Count,
        "always 1; the version is a label",
    ),
    (
        "kafka_migrate_uptime_seconds",
        Kind::Gauge,
        Unit::Seconds,
        "time since the command began",
    ),
    (
        "kafka_migrate_numbers_age_seconds",
        Kind::Gauge,
        Unit::Seconds,
        "age of the numbers below; they come once a second while the engine lives",
    ),
    (
        "kafka_migrate_records_copied_total",
        Kind::Counter,
        Unit::Count,
        "records that the target acknowledged to this run",
    ),
    (
        "kafka_migrate_bytes_copied_total",
        Kind::Counter,
        Unit::Bytes,
        "bytes that the target acknowledged to this run, as stored",
    ),
    (
        "kafka_migrate_trimmed_offsets_total",
        Kind::Counter,
        Unit::Count,
        "offsets of repartition topics that their owner had read and deleted before they were copied, both directions together",
    ),
    (
        "kafka_migrate_records_per_second",
        Kind::Gauge,
        Unit::CountPerSecond,
        "records acknowledged per second, over the last seconds",
    ),
    (
        "kafka_migrate_bytes_per_second",
        Kind::Gauge,
        Unit::Bytes,
        "bytes acknowledged per second, over the last seconds",
    ),
    (
        "kafka_migrate_held_back",
        Kind::Gauge,
        Unit::Count,
        "1 while something holds the copy back on purpose: a pause, a quota, a busy broker",
    ),
    (
        "kafka_migrate_lag_offsets",
        Kind::Gauge,
        Unit::Count,
        "source offsets that the target does not hold yet, all partitions together",
    ),
    (
        "kafka_migrate_partition_lag_offsets",
        Kind::Gauge,
        Unit::Count,
        "the same of one partition",
    ),
    (
        "kafka_migrate_partitions_copying",
        Kind::Gauge,
        Unit::Count,
        "partitions that are copied",
    ),
    (
        "kafka_migrate_partitions_caught_up",
        Kind::Gauge,
        Unit::Count,
        "partitions at the end of the source",
    ),
    (
        "kafka_migrate_partitions_stopped",
        Kind::Gauge,
        Unit::Count,
        "partitions that wait for a person",
    ),
    (
        "kafka_migrate_partitions_stopped_by_code",
        Kind::Gauge,
        Unit::Count,
        "the same by what stopped them",
    ),
    (
        "kafka_migrate_consumer_groups",
        Kind::Gauge,
        Unit::Count,
        "groups whose positions are carried",
    ),
    (
        "kafka_migrate_group_sync_failures_total",
        Kind::Counter,
        Unit::Count,
        "positions that could not be read or written",
    ),
    (
        "kafka_migrate_group_commits_total",
        Kind::Counter,
        Unit::Count,
        "positions written",
    ),
    (
        "kafka_migrate_group_lag_offsets",
        Kind::Gauge,
        Unit::Count,
        "offsets that the groups are behind, all together",
    ),
    (
        "kafka_migrate_group_sync_age_seconds",
        Kind::Gauge,
        Unit::Seconds,
        "time since all groups were last looked at",
    ),
];

/// An address to listen on: a port alone is this machine's own, which nobody else reaches.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse()
        .map_err(|_| "expected a port such as 9464, or ADDRESS:PORT such as 127.0.0.1:9464".into())
}

/// Listens until it is dropped.
pub struct Scrape {
    address: SocketAddr,
    now: Arc<Mutex<Now>>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Now {
    migration: String,
    began: BootInstant,
    up: bool,
    progress: Option<(BootInstant, Progress)>,
    partitions: Vec<PartitionProgress>,
    trimmed: u64,
}

impl Scrape {
    /// Begins to listen, or refuses at once. `exposed`: others than this machine may ask.
    pub async fn listen(
        address: SocketAddr,
        exposed: bool,
        migration: &str,
    ) -> Result<Self, Failure> {
        if !address.ip().is_loopback() && !exposed {
            return Err(Failure::new(
                Exit::Usage,
                "K009",
                format!("{address} is reached from the network, and names of topics would be shown to whoever asks"),
            )
            .hint(format!("`--metrics {}` listens on this machine alone", address.port()))
            .hint("or say with --metrics-on-network that this is meant"));
        }
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let bound: std::io::Result<_> = bound.await;
        let (listener, address) = bound.map_err(|error| {
            let text = format!("metrics cannot be served on {address}");
            Failure::new(Exit::Usage, "K008", text)
                .because(&error)
                .hint("name another port with --metrics; 0 takes any that is free")
        })?;
        let now = Arc::new(Mutex::new(Now {
            migration: migration.to_owned(),
            began: BootInstant::now(),
            up: false,
            progress: None,
            partitions: Vec::new(),
            trimmed: 0,
        }));
        let listening = tokio::spawn(serve(listener, Arc::clone(&now)));
        Ok(Self {
            address,
            now,
            listening,
        })
    }

    /// Where the numbers are.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Takes in what the engine says; `partitions` tells of each of them.
    pub fn note(&self, event: &Event, partitions: impl FnOnce() -> Vec<PartitionProgress>) {
        match event {
            Event::Started { .. } => lock(&self.now).up = true,
            Event::Stopped { .. } => lock(&self.now).up = false,
            Event::Trimmed { from, to, .. } => {
                lock(&self.now).trimmed += u64::try_from(to - from).unwrap_or(0);
            }
            Event::Progress(progress) => {
                let partitions = partitions();
                let mut now = lock(&self.now);
                now.progress = Some((BootInstant::now(), progress.clone()));
                now.partitions = partitions;
            }
            _ => {}
        }
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn lock(now: &Mutex<Now>) -> MutexGuard<'_, Now> {
    now.lock().expect("nothing panics while holding it")
}

async fn serve(listener: TcpListener, now: Arc<Mutex<Now>>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let now = Arc::clone(&now);
                tokio::spawn(async move {
                    // Whoever hung up or was too slow asks again.
                    drop(timeout(PATIENCE, answer(stream, &now)).await);
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// One request, one answer; then the connection is closed.
async fn answer(stream: TcpStream, now: &Mutex<Now>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(LONGEST)).lines();
    let request = lines.next_line().await?.unwrap_or_default();
    // Everything up to the empty line is read: an answer to half a request is lost when the connection is closed.
    while lines
        .next_line()
        .await?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = respond(&request, now);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    write.write_all(head.as_bytes()).await?;
    write.write_all(body.as_bytes()).await?;
    write.shutdown().await
}

fn respond(request: &str, now: &Mutex<Now>) -> (&'static str, String) {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next());
    let path = path.unwrap_or_default().split('?').next();
    match (method, path) {
        ("GET", Some("/metrics")) => ("200 OK", text(&lock(now))),
        ("GET", _) => ("404 Not Found", "the numbers are at /metrics\n".to_owned()),
        _ => (
            "405 Method Not Allowed",
            "only GET is answered\n".to_owned(),
        ),
    }
}

/// All numbers as they are now. Made anew each time: what is no longer there leaves no number behind.
fn text(now: &Now) -> String {
    let recorder = PrometheusBuilder::new()
        .add_global_label("migration", &now.migration)
        .build_recorder();
    with_local_recorder(&recorder, || {
        for (name, kind, unit, meaning) in NUMBERS {
            match kind {
                Kind::Gauge => describe_gauge!(*name, *unit, *meaning),
                Kind::Counter => describe_counter!(*name, *unit, *meaning),
            }
        }
        gauge!("kafka_migrate_up").set(f64::from(u8::from(now.up)));
        gauge!("kafka_migrate_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!("kafka_migrate_uptime_seconds").set(now.began.elapsed().as_secs_f64());
        if let Some((at, progress)) = &now.progress {
            gauge!("kafka_migrate_numbers_age_seconds").set(at.elapsed().as_secs_f64());
            note(progress);
            counter!("kafka_migrate_trimmed_offsets_total").absolute(now.trimmed);
            if let Some(groups) = &progress.groups {
                note_groups(groups);
            }
        }
        note_each(&now.partitions);
    });
    recorder.handle().render()
}

fn note(progress: &Progress) {
    counter!("kafka_migrate_records_copied_total").absolute(progress.records);
    counter!("kafka_migrate_bytes_copied_total").absolute(progress.bytes);
    let held_back = progress.throttled_by.is_some();
    for (name, value) in [
        (
            "kafka_migrate_records_per_second",
            progress.records_per_second,
        ),
        ("kafka_migrate_bytes_per_second", progress.bytes_per_second),
        ("kafka_migrate_held_back", f64::from(u8::from(held_back))),
        ("kafka_migrate_lag_offsets", progress.lag as f64),
        (
            "kafka_migrate_partitions_copying",
            progress.partitions as f64,
        ),
        (
            "kafka_migrate_partitions_caught_up",
            progress.caught_up as f64,
        ),
        ("kafka_migrate_partitions_stopped", progress.stopped as f64),
    ] {
        gauge!(name).set(value);
    }
}

fn note_groups(groups: &GroupsProgress) {
    gauge!("kafka_migrate_consumer_groups").set(f64::from(groups.carried));
    counter!("kafka_migrate_group_sync_failures_total").absolute(groups.failures);
    counter!("kafka_migrate_group_commits_total").absolute(groups.committed);
    for (cluster, lag) in [("source", groups.lag_source), ("target", groups.lag_target)] {
        if let Some(lag) = lag {
            gauge!("kafka_migrate_group_lag_offsets", "cluster" => cluster).set(lag as f64);
        }
    }
    gauge!("kafka_migrate_group_sync_age_seconds").set(groups.age_ms as f64 / 1000.0);
}

fn note_each(partitions: &[PartitionProgress]) {
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    for one in partitions {
        if let Some(code) = &one.stopped {
            *codes.entry(code).or_default() += 1;
        }
        let Some(lag) = one.lag else {
            continue;
        };
        let labels = [
            ("topic", one.at.topic.to_string()),
            ("partition", one.at.partition.to_string()),
        ];
        gauge!("kafka_migrate_partition_lag_offsets", &labels).set(lag as f64);
    }
    for (code, count) in codes {
        gauge!("kafka_migrate_partitions_stopped_by_code", "code" => code.to_owned())
            .set(f64::from(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::TopicPartition;

    fn now() -> Now {
        let partition = |number, lag, stopped: Option<&str>| PartitionProgress {
            at: TopicPartition::new("ord\"ers", number),
            lag,
            stopped: stopped.map(Into::into),
        };
        Now {
            migration: "orders".into(),
            began: BootInstant::now(),
            up: true,
            progress: Some((
                BootInstant::now(),
                Progress {
                    records: 3009,
                    bytes: 1_258_291,
                    lag: 47,
                    throttled_by: Some("paused by ann".into()),
                    groups: Some(GroupsProgress {
                        carried: 1000,
                        lag_source: Some(12),
                        age_ms: 1500,
                        ..GroupsProgress::default()
                    }),
                    ..Progress::default()
                },
            )),
            trimmed: 38,
            partitions: vec![
                partition(0, Some(40), None),
                partition(1, Some(7), Some("K501")),
                partition(2, None, Some("K501")),
            ],
        }
    }

    #[test]
    fn numbers_have_their_labels_and_types() {
        let text = text(&now());
        for line in [
            "# TYPE kafka_migrate_records_copied_total counter",
            "# TYPE kafka_migrate_partition_lag_offsets gauge",
            "kafka_migrate_records_copied_total{migration=\"orders\"} 3009",
            "kafka_migrate_bytes_copied_total{migration=\"orders\"} 1258291",
            "kafka_migrate_up{migration=\"orders\"} 1",
            "kafka_migrate_held_back{migration=\"orders\"} 1",
            "kafka_migrate_lag_offsets{migration=\"orders\"} 47",
            "kafka_migrate_partition_lag_offsets{migration=\"orders\",topic=\"ord\\\"ers\",partition=\"0\"} 40",
            "kafka_migrate_partitions_stopped_by_code{migration=\"orders\",code=\"K501\"} 2",
            "kafka_migrate_consumer_groups{migration=\"orders\"} 1000",
            "kafka_migrate_group_lag_offsets{migration=\"orders\",cluster=\"source\"} 12",
            "kafka_migrate_group_sync_age_seconds{migration=\"orders\"} 1.5",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} in\n{text}");
        }
        // Every number that there is stands in the table, and the other way round.
        let mut typed: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split(' ').next())
            .collect();
        typed.sort_unstable();
        let mut known: Vec<&str> = NUMBERS.iter().map(|(name, ..)| *name).collect();
        known.sort_unstable();
        assert_eq!(typed, known);
    }

    #[test]
    fn the_page_of_the_documents_names_every_number_with_its_meaning() {
        let page = include_str!("../../docs/metrics.md");
        for (name, kind, _, meaning) in NUMBERS {
            let kind = match kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
            };
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row for {name}"));
            assert!(
                row.contains(meaning) && row.contains(kind),
                "{row}: {meaning}"
            );
        }
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| `kafka_migrate_"));
        assert_eq!(rows.count(), NUMBERS.len());
    }

    #[test]
    fn a_port_alone_is_loopback() {
        assert_eq!(address("9464"), Ok("127.0.0.1:9464".parse().unwrap()));
        assert_eq!(address("0.0.0.0:1"), Ok("0.0.0.0:1".parse().unwrap()));
        for bad in ["", "x", "localhost:9464", "70000"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_asked_for_otherwise_is_refused() {
        let now = Mutex::new(now());
        let status = |request| respond(request, &now).0;
        assert_eq!(status("GET /metrics HTTP/1.1"), "200 OK");
        assert_eq!(status("GET /metrics?x=1 HTTP/1.0"), "200 OK");
        assert_eq!(status("GET / HTTP/1.1"), "404 Not Found");
        assert_eq!(status("POST /metrics HTTP/1.1"), "405 Method Not Allowed");
        assert_eq!(status(""), "405 Method Not Allowed");
    }

    #[tokio::test]
    async fn it_is_up_between_the_engine_s_beginning_and_its_end() {
        let loopback = address("0").unwrap();
        let scrape = Scrape::listen(loopback, false, "orders").await.unwrap();
        let up = |event: Option<Event>| {
            if let Some(event) = event {
                scrape.note(&event, Vec::new);
            }
            lock(&scrape.now).up
        };
        assert!(!up(None));
        assert!(up(Some(Event::Started {
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            topics: 1,
            partitions: 1,
            shards: 1,
        })));
        assert!(!up(Some(Event::Stopped {
            sealed: true,
            records: 0,
            bytes: 0,
        })));
    }

    #[tokio::test]
    async fn what_cannot_be_bound_or_is_open_to_all_is_refused_at_once() {
        let loopback = address("0").unwrap();
        let first = Scrape::listen(loopback, false, "orders").await.unwrap();
        let taken = Scrape::listen(first.address, false, "orders").await.err();
        assert_eq!(
            taken.map(|one| (one.exit, one.code)),
            Some((Exit::Usage, "K008"))
        );
        let open = "0.0.0.0:0".parse().unwrap();
        let refused = Scrape::listen(open, false, "orders").await.err();
        assert_eq!(
            refused.map(|one| (one.exit, one.code)),
            Some((Exit::Usage, "K009"))
        );
    }
}
