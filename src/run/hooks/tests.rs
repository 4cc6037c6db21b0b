//! Hooks that are missing, not executable, failing or hanging; what they are told, and what is kept from them.

use std::fs;

use super::*;

fn hook(dir: &Path, script: &str, within_ms: u64) -> Hook {
    let path = dir.join("hook.sh");
    // Renamed into place: a file that is open for writing cannot be executed, and another test may fork meanwhile.
    let staged = dir.join("staged");
    fs::write(&staged, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&staged, &path).unwrap();
    Hook {
        path,
        within: Duration::from_millis(within_ms),
    }
}

fn told() -> Told {
    Told {
        migration: "orders".into(),
        phase: "cutover".into(),
        step: "stop".into(),
        application: "order-status".into(),
        side: "source".into(),
        bootstrap: "kafka1:9096".into(),
        attempt: 2,
    }
}

#[tokio::test]
async fn a_hook_is_told_what_and_where_and_which_attempt_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let hook = hook(
        dir.path(),
        &format!(
            "env | grep ^KAFKA_MIGRATE_ | sort > {}; echo stopped",
            out.display()
        ),
        20_000,
    );
    let said = hook.run(&told(), &Kept::default()).await.unwrap();
    assert_eq!(said, "stopped");
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        "KAFKA_MIGRATE_APPLICATION=order-status\nKAFKA_MIGRATE_ATTEMPT=2\nKAFKA_MIGRATE_BOOTSTRAP=kafka1:9096\n\
         KAFKA_MIGRATE_MIGRATION=orders\nKAFKA_MIGRATE_PHASE=cutover\nKAFKA_MIGRATE_SIDE=source\nKAFKA_MIGRATE_STEP=stop\n"
    );
}

#[test]
fn variables_that_hold_secrets_are_kept_back_whatever_they_are_called() {
    let kept = Kept {
        variables: vec!["BROKER_PASSWORD".into()],
        secrets: vec![Secret::new("s3cret"), Secret::new("")],
    };
    let environment = [
        ("PATH", "/bin"),
        ("BROKER_PASSWORD", "anything"),
        ("KAFKA_MIGRATE_SOURCE_AUTH_PASSWORD", "anything"),
        ("JAAS", "password=\"s3cret\";"),
        ("HOME", "/root"),
    ];
    assert_eq!(
        kept.back(environment.into_iter()),
        [
            "BROKER_PASSWORD",
            "KAFKA_MIGRATE_SOURCE_AUTH_PASSWORD",
            "JAAS"
        ]
    );
}

#[tokio::test]
async fn a_hook_that_cannot_be_run_is_refused_before_anything_begins() {
    let dir = tempfile::tempdir().unwrap();
    let there = hook(dir.path(), "exit 0", 1000);
    there.check().unwrap();
    let missing = Hook {
        path: dir.path().join("stop.sh"),
        ..there.clone()
    };
    let refused = missing.check().unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Usage, "K450"));
    assert!(refused.message.contains("stop.sh"), "{refused}");
    let directory = Hook {
        path: dir.path().to_path_buf(),
        ..there.clone()
    };
    assert_eq!(directory.check().unwrap_err().code, "K451");
    fs::set_permissions(&there.path, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = there.run(&told(), &Kept::default()).await.unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Usage, "K451"));
    assert!(refused.hints[0].starts_with("chmod +x "), "{refused:?}");
    // Executable, and nothing that can be executed.
    fs::write(&there.path, [0u8, 1, 2]).unwrap();
    fs::set_permissions(&there.path, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = there.run(&told(), &Kept::default()).await.unwrap_err();
    assert_eq!((refused.exit, refused.code), (Exit::Stopped, "K451"));
}

#[tokio::test]
async fn a_hook_that_fails_is_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let hook = hook(
        dir.path(),
        "echo looking >&2; echo no such service >&2; exit 3",
        20_000,
    );
    let failed = hook.run(&told(), &Kept::default()).await.unwrap_err();
    assert_eq!((failed.exit, failed.code), (Exit::Stopped, "K452"));
    assert!(failed.message.ends_with("ended with 3"), "{failed}");
    assert_eq!(
        failed.causes,
        ["it said: looking", "it said: no such service"]
    );
}

#[tokio::test]
async fn a_hook_that_hangs_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let child = dir.path().join("child");
    let hook = hook(
        dir.path(),
        &format!(
            "sleep 600 & echo $! > {}; echo waiting; wait",
            child.display()
        ),
        400,
    );
    let failed = hook.run(&told(), &Kept::default()).await.unwrap_err();
    assert_eq!((failed.exit, failed.code), (Exit::Stopped, "K453"));
    assert_eq!(failed.causes, ["it said: waiting"]);
    let started: i32 = fs::read_to_string(child).unwrap().trim().parse().unwrap();
    let is_gone = || {
        let state = fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
        // Nobody may have reaped it yet.
        state.is_empty() || state.contains(") Z ")
    };
    let begun = std::time::Instant::now();
    while !is_gone() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{started} lives on"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_hook_leaves_running_is_not_waited_for_and_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let child = dir.path().join("child");
    let hook = hook(
        dir.path(),
        &format!("sleep 600 & echo $! > {}; echo started", child.display()),
        60_000,
    );
    let begun = std::time::Instant::now();
    assert_eq!(
        hook.run(&told(), &Kept::default()).await.unwrap(),
        "started"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
    let left: i32 = fs::read_to_string(child).unwrap().trim().parse().unwrap();
    assert!(fs::exists(format!("/proc/{left}")).unwrap());
    rustix::process::kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_hook_that_says_very_much_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let hook = hook(
        dir.path(),
        "head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 1 10000; exit 1",
        60_000,
    );
    let failed = hook.run(&told(), &Kept::default()).await.unwrap_err();
    assert_eq!(failed.causes.len(), 5);
    assert_eq!(failed.causes[4], "it said: 10000");
}
