//! What a process costs: CPU seconds, memory, time; and what the machine did beside it.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::support::leash::Leash;

/// Linux counts processor time for user space in hundredths of a second, whatever its timer does.
const TICK: Duration = Duration::from_millis(10);
/// A copy takes seconds; one that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one run of a process cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory it held resident, in bytes, as last seen before it ended.
    pub peak: u64,
    /// User and system time of the brokers meanwhile.
    pub brokers: Duration,
    /// Cores that anything else kept busy meanwhile: other programs, and the kernel's own threads.
    pub others: f64,
}

/// Runs a command to its end and measures it; its output goes to `log`, and is part of the error if it fails.
pub fn run(mut command: Command, log: &Path) -> Result<Cost, String> {
    let line = format!("{command:?}");
    let failed = |what: String| {
        let said = fs::read_to_string(log).unwrap_or_default();
        format!("{line}: {what}\n{said}")
    };
    let output = File::create(log).map_err(|error| failed(error.to_string()))?;
    let second = output.try_clone().expect("files can be cloned");
    let brokers = children_called("java");
    let (machine_before, brokers_before) = (machine_time(), time_of_all(&brokers));
    let began = Instant::now();
    let mut child = command
        .stdout(output)
        .stderr(second)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let _leash = Leash::on_process(child.id());
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.expect("process ids are positive and small");
    let mut peak = 0;
    // It is left unreaped: only so its times can still be read.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(id), ended)
        .expect("a child can be waited for")
        .is_none()
    {
        peak = peak_memory(child.id()).unwrap_or(peak);
        if began.elapsed() > PATIENCE {
            drop(child.kill());
            return Err(failed(format!("still running after {PATIENCE:?}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let wall = began.elapsed();
    let cpu = time_of(child.id()).expect("an unreaped child has times");
    let (machine, brokers) = (
        machine_time() - machine_before,
        time_of_all(&brokers).saturating_sub(brokers_before),
    );
    let status = child.wait().expect("a child can be waited for");
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    let others = machine.saturating_sub(cpu + brokers);
    Ok(Cost {
        wall,
        cpu,
        peak,
        brokers,
        others: others.as_secs_f64() / wall.as_secs_f64(),
    })
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

fn time_of_all(pids: &[u32]) -> Duration {
    pids.iter().filter_map(|pid| time_of(*pid)).sum()
}

/// Our own children of this name.
fn children_called(wanted: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("Linux has /proc");
    let pids = processes.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let (name, fields) = stat(pid)?;
        let is_ours = fields.get(1)?.parse() == Ok(std::process::id());
        (is_ours && name == wanted).then_some(pid)
    });
    pids.collect()
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
