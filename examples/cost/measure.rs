//! What a process costs: CPU seconds, memory, time; and what the machine did beside it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::support::leash::Leash;

/// Linux counts processor time for user space in hundredths of a second, whatever its timer does.
const TICK: Duration = Duration::from_millis(10);
/// A copy takes seconds; one that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often is asked whether a process that does not end by itself has done its work.
const PAUSE: Duration = Duration::from_millis(100);

/// What one run of a process cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// From its start to its end, or until it had done its work.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory it held resident, in bytes, as last seen before it ended.
    pub peak: u64,
    /// User and system time of the source's broker meanwhile.
    pub source: Duration,
    /// The same of the target's.
    pub target: Duration,
    /// Cores that anything else kept busy meanwhile: other programs, and the kernel's own threads.
    pub others: f64,
    /// Bytes a second between the first and the last that were seen to grow; 0 if that was too short to be seen.
    pub rate: f64,
}

/// What is looked at while a process runs.
pub struct Watch<'a> {
    /// How many bytes there are of what it makes.
    pub bytes: &'a dyn Fn() -> u64,
    /// How often that is asked.
    pub pause: Duration,
    /// Whether a process that does not end by itself has done its work; `None` for one that ends.
    pub is_done: Option<&'a dyn Fn() -> bool>,
}

/// When bytes were seen first, and when they were seen to grow last.
#[derive(Default)]
struct Growth {
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
}

impl Growth {
    fn see(&mut self, bytes: u64) {
        let now = Some((Instant::now(), bytes));
        if bytes > 0 && self.first.is_none() {
            self.first = now;
        }
        if self.last.is_none_or(|(_, before)| bytes > before) {
            self.last = now;
        }
    }

    fn rate(&self) -> f64 {
        match (self.first, self.last) {
            (Some((began, from)), Some((ended, to))) if ended > began => {
                (to - from) as f64 / (ended - began).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// Processor time so far: of a process, of both brokers, of the machine.
struct Times {
    moment: Instant,
    cpu: Duration,
    brokers: [Duration; 2],
    machine: Duration,
}

impl Times {
    /// Of a process that may not have begun yet, or that there is not.
    fn now(process: Option<u32>, brokers: [u32; 2]) -> Self {
        let alive = |pid| time_of(pid).expect("an unreaped child has times");
        Self {
            moment: Instant::now(),
            cpu: process.map_or(Duration::ZERO, alive),
            brokers: brokers.map(alive),
            machine: machine_time(),
        }
    }

    /// What there was since then.
    fn cost(&self, process: Option<u32>, brokers: [u32; 2], peak: u64) -> Cost {
        let now = Self::now(process, brokers);
        let (wall, cpu) = (now.moment - self.moment, now.cpu - self.cpu);
        let [source, target] = [0, 1].map(|side| now.brokers[side] - self.brokers[side]);
        let others = (now.machine - self.machine).saturating_sub(cpu + source + target);
        Cost {
            wall,
            cpu,
            peak,
            source,
            target,
            others: others.as_secs_f64() / wall.as_secs_f64(),
            rate: 0.0,
        }
    }
}

/// What is used while `work` is done, by a process if there is one.
pub fn meanwhile<T>(
    process: Option<&Process>,
    brokers: [u32; 2],
    work: impl FnOnce() -> T,
) -> (T, Cost) {
    let process = process.map(|process| process.child.id());
    let before = Times::now(process, brokers);
    let done = work();
    let peak = process.and_then(peak_memory).unwrap_or(0);
    (done, before.cost(process, brokers, peak))
}

/// A measured process; it is killed when this is dropped.
pub struct Process {
    line: String,
    log: PathBuf,
    child: Child,
    brokers: [u32; 2],
    before: Times,
    _leash: Leash,
}

impl Process {
    /// Starts a command; its output goes to `log`. Time of these two brokers is measured too.
    pub fn start(mut command: Command, log: &Path, brokers: [u32; 2]) -> Result<Self, String> {
        let line = format!("{command:?}");
        let failed = |error: std::io::Error| format!("{line}: {error}");
        let output = File::create(log).map_err(failed)?;
        let second = output.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(output).stderr(second);
        let before = Times::now(None, brokers);
        let child = command.spawn().map_err(failed)?;
        Ok(Self {
            _leash: Leash::on_process(child.id()),
            line,
            log: log.to_path_buf(),
            child,
            brokers,
            before,
        })
    }

    /// Waits until it ends well, or has done its work, and answers what it has cost.
    pub fn run(mut self, watch: &Watch<'_>) -> Result<Cost, String> {
        let mut peak = 0;
        let mut growth = Growth::default();
        let (mut looked, mut asked) = (Instant::now(), Instant::now());
        loop {
            if self.has_ended() {
                if watch.is_done.is_some() {
                    return Err(self.failure("it ended by itself"));
                }
                break;
            }
            peak = peak_memory(self.child.id()).unwrap_or(peak);
            if looked.elapsed() > watch.pause {
                growth.see((watch.bytes)());
                looked = Instant::now();
            }
            if let Some(is_done) = watch.is_done
                && asked.elapsed() > PAUSE
            {
                if is_done() {
                    break;
                }
                asked = Instant::now();
            }
            if self.before.moment.elapsed() > PATIENCE {
                return Err(self.failure("it does not come to an end"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let process = Some(self.child.id());
        let mut cost = self.before.cost(process, self.brokers, peak);
        growth.see((watch.bytes)());
        cost.rate = growth.rate();
        if watch.is_done.is_none() {
            let status = self.child.wait().expect("a child can be waited for");
            if !status.success() {
                return Err(self.failure(&status.to_string()));
            }
        }
        Ok(cost)
    }

    /// Whether it has ended; it is left unreaped, for only so its times can still be read.
    pub fn has_ended(&self) -> bool {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.expect("process ids are positive and small");
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::Pid(id), ended).expect("a child can be waited for");
        status.is_some()
    }

    /// What went wrong, and what the process has said.
    pub fn failure(&self, what: &str) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        format!("{}: {what}\n{said}", self.line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither can fail in a way that matters: it may have ended, and have been reaped.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Fields of `/proc/<pid>/stat` from the state on; the name before it may hold anything.
fn stat(pid: u32) -> Option<(String, Vec<String>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (start, rest) = text.rsplit_once(')')?;
    let name = start.split_once('(')?.1.to_owned();
    Some((name, rest.split_whitespace().map(str::to_owned).collect()))
}

/// User and system time of a process, all threads that live or lived.
fn time_of(pid: u32) -> Option<Duration> {
    let (_, fields) = stat(pid)?;
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some((ticks(11)? + ticks(12)?) * TICK)
}

/// The broker of a cluster whose files lie here: our own child whose command line names the directory.
pub fn broker_in(home: &Path) -> u32 {
    let home = home.to_string_lossy();
    let processes = fs::read_dir("/proc").expect("Linux has /proc");
    let mut pids = processes.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let (name, fields) = stat(pid)?;
        let is_ours = fields.get(1)?.parse() == Ok(std::process::id());
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (is_ours && name == "java" && line.contains(&*home)).then_some(pid)
    });
    pids.next().expect("the cluster has one broker")
}

/// Time that all processors together have been busy.
fn machine_time() -> Duration {
    let text = fs::read_to_string("/proc/stat").expect("Linux has /proc/stat");
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u32> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system; then idle and waiting, which are not work; then interrupts and stolen time.
    let busy = |at: usize| fields.get(at).copied().unwrap_or(0);
    [0, 1, 2, 5, 6].into_iter().map(|at| busy(at) * TICK).sum()
}

/// The most memory a process has held resident (`VmHWM`); `None` once it has ended.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}
