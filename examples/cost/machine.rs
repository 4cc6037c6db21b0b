//! The lines that say where and when something was measured.

use std::{fs, process::Command, time::SystemTime};

fn first_line_of(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What a line of a file of `name: value` lines says.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// Processor, memory and kernel.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    let kib = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    format!(
        "{}, {cores} cores, {} GiB, Linux {}",
        model.as_deref().unwrap_or("unknown processor"),
        kib.unwrap_or(0) >> 20,
        first_line_of("/proc/sys/kernel/osrelease"),
    )
}

/// The Java runtime of the brokers.
pub fn java() -> String {
    let said = Command::new("java").arg("--version").output();
    let said = said.map_or_else(|_| Vec::new(), |output| output.stdout);
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or("no Java").to_owned()
}

/// Now, in UTC, and the machine's load.
pub fn moment() -> String {
    let load = first_line_of("/proc/loadavg");
    let minute = load.split_whitespace().next().unwrap_or("?");
    format!(
        "{}, load {minute}",
        humantime::format_rfc3339_seconds(SystemTime::now())
    )
}
