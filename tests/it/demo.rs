//! The demo and the sandbox, as a newcomer runs them: no Java, no file, one command.

use std::{fs, process::Stdio, time::Duration};

use serde_json::Value;

use crate::{
    documents,
    support::{self, tool, wait},
};

/// Design: within a minute, on a machine that has nothing else to do.
const LIMIT_MS: u64 = 60_000;
const LIMIT_KIB: u64 = 200 << 10;

/// What a process and those that it started hold in memory, in KiB.
fn resident(process: u32) -> u64 {
    let status = |process: u32| fs::read_to_string(format!("/proc/{process}/status"));
    let of = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let own = status(process).ok().and_then(|text| of(&text));
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|all| {
            all.split_whitespace()
                .filter_map(|one| one.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    own.unwrap_or(0) + children.into_iter().map(resident).sum::<u64>()
}

#[test]
fn the_whole_story_is_told_and_nothing_is_lost() {
    let scratch = support::scratch("demo");
    let directory = scratch.path().join("files");
    let said = scratch.path().join("said");
    let mut command = tool::program();
    command
        .args(["demo", "--json", "--directory"])
        .arg(&directory)
        // There is no Java for it.
        .env("PATH", "/usr/bin:/bin")
        .env("JAVA_HOME", "/nowhere")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&said).expect("it can be made"));
    let mut child = command.spawn().expect("the program starts");
    let mut most = 0;
    wait::until("the story ends", Duration::from_secs(240), || {
        most = most.max(resident(child.id()));
        child.try_wait().expect("it is our child").is_some()
    });
    let output = child.wait_with_output().expect("it has ended");
    let said = fs::read_to_string(&said).expect("it was written");
    assert!(output.status.success(), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    let number =
        |of: &Value, name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{name}: {of}"));
    let sent = number(&document, "sent");
    assert!(sent > 500, "{document}");
    let applications = document["applications"].as_array().expect("it is a list");
    assert_eq!(applications.len(), 2);
    for one in applications {
        assert_eq!(
            number(one, "given"),
            sent,
            "not the same records: {document}"
        );
        assert_eq!(
            number(one, "lost") + number(one, "out_of_order"),
            0,
            "not the same records: {document}"
        );
    }
    assert!(
        number(&document, "again") <= number(&document, "announced"),
        "not the same records: {document}"
    );
    assert_eq!(number(&document, "moves"), 5);
    // Its own words: what is shown was run, and says so by itself.
    for word in [
        "A simulation",
        "differs: no",
        "0 block, 0 unknown",
        "order-status is on the source",
        "what stays",
    ] {
        assert!(said.contains(word), "{word:?} is missing in\n{said}");
    }
    let report = fs::read_to_string(directory.join("report.html")).expect("there is a report");
    assert!(report.contains("simulated-source"));
    let took = number(&document, "took_ms");
    eprintln!("{sent} records, {took} ms, at most {} MiB", most >> 10);
    assert!(most < LIMIT_KIB, "{most} KiB");
    // Other tests are at work on the same two cores.
    assert!(took < 2 * LIMIT_MS, "{took} ms");
    documents::shows_the_same_commands("README.md", "screen", &said);
}

#[test]
fn a_directory_with_something_in_it_is_left_alone() {
    let scratch = support::scratch("demo");
    let kept = scratch.path().join("kept");
    fs::write(&kept, "mine").expect("it can be written");
    let mut command = tool::program();
    let output = command
        .args(["demo", "--directory"])
        .arg(scratch.path())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("K036"), "{said}");
    assert_eq!(fs::read_to_string(&kept).expect("it is there"), "mine");
}

#[test]
fn two_simulated_clusters_run_until_they_are_told_to_end() {
    let mut command = tool::program();
    let mut child = command
        .args(["sandbox", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("it is a pipe");
    let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>();
    let document = documents
        .next()
        .expect("it says where")
        .expect("it is JSON");
    for side in ["source", "target"] {
        let servers = document[side].as_str().expect("it is text");
        assert!(servers.starts_with("127.0.0.1:"), "{servers}");
        std::net::TcpStream::connect(servers).expect("somebody listens");
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("it lives");
    assert!(child.wait().expect("it is our child").success());
}
