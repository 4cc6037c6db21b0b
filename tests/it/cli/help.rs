//! Help, version, and command lines that are not understood.

use insta::assert_snapshot;

use super::Place;

#[test]
fn without_arguments_the_help_is_shown() {
    let place = Place::empty();
    let finished = place.run(&[]);
    finished.assert_exit(2);
    finished.assert_says("Usage: kafka-migrate [OPTIONS] <COMMAND>");
    for command in [
        "init",
        "preflight",
        "plan",
        "replicate",
        "pause",
        "status",
        "ready",
        "cutover",
        "rollback",
        "verify",
        "cleanup",
        "report",
        "config",
        "explain",
        "demo",
        "sandbox",
    ] {
        finished.assert_says(&format!("  {command}"));
    }
}

#[test]
fn help_names_the_commands_that_work_and_no_others() {
    assert_snapshot!(Place::empty().transcript(&["--help"]), @r#"
    ── stdout
    Move applications from one Kafka cluster to another without losing, repeating or reordering a record

    Usage: kafka-migrate [OPTIONS] <COMMAND>

    Commands:
      init         Write a migration file by looking at the source
      preflight    Ask whether this migration can work, before anything is copied
      plan         Show the steps that a phase would take, from what is true now
      replicate    Copy the topics in scope to the target, each record once, in order, untouched
      pause        Let a running engine stand still, from anywhere
      resume       Let an engine that was paused go on, from anywhere
      throttle     Give a running engine another limit of bytes per second, from anywhere
      status       Show where the migration is: the engine, the lag of each topic, what is in the way
      ready        Ask the gates whether applications may move
      cutover      Move applications to the target: stop, drain, positions, start
      rollback     Take applications back to the source, at any time until `cleanup`
      verify       Compare source and target, record by record
      cleanup      Remove what the migration made, once no application depends on it
      report       Write the report of the run so far, or the runbook for what is to come
      config       Show the settings in force, each with its origin
      explain      Explain a code: a gate (G204) or an error (K101)
      demo         Show the whole story on two simulated clusters in this process, in about a minute
      sandbox      Run two simulated clusters in this process, on loopback, until Ctrl-C
      completions  Print completions for a shell
      man          Print the manual page

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never

    Every setting can be given by a variable: KAFKA_MIGRATE_ and its key in capitals, `_` for `.`
    (source.bootstrap is KAFKA_MIGRATE_SOURCE_BOOTSTRAP). Flags win over variables, variables over
    the file.

    Exit codes:
      0 ok         2 usage        4 source    6 aws       8 differs   10 a person must decide
      1 bug        3 not ready    5 target    7 refused   9 stopped (the same command goes on)
      130 interrupted
    ── exit 0
    "#);
}

#[test]
fn help_of_init() {
    assert_snapshot!(Place::empty().transcript(&["init", "--help"]), @r#"
    ── stdout
    Write a migration file by looking at the source

    It reads the source's topics, groups, members and writers, guesses the applications from them, and
    writes the file that --config names, with every key, its meaning and its default. What is guessed
    says on what it rests. A file that is there is never overwritten. Nothing else is changed, and the
    target is not asked: `preflight` looks at both.

    Passwords are never given themselves: only the file or the variable that holds them.

    Usage: kafka-migrate init [OPTIONS]

    Options:
          --name <NAME>
              The migration's name, which its topics on the target carry [default: that of the file,
              without its ending]

          --source <HOST:PORT>
              Servers of the source to ask first, several with commas between

          --source-mechanism <MECHANISM>
              How to log in to the source: none, plain, scram-sha-256, scram-sha-512, msk-iam [default:
              none]

          --source-username <NAME>
              Who logs in to the source

          --source-password-file <FILE>
              The file that holds the password for the source

          --source-password-env <VARIABLE>
              The variable that holds the password for the source

          --source-tls
              Speak TLS with the source, and trust the system's authorities

          --source-ca <FILE>
              Speak TLS with the source, and trust the authorities of this PEM file

          --target <HOST:PORT>
              Servers of the target to ask first, several with commas between

          --target-mechanism <MECHANISM>
              How to log in to the target: none, plain, scram-sha-256, scram-sha-512, msk-iam [default:
              none]

          --target-username <NAME>
              Who logs in to the target

          --target-password-file <FILE>
              The file that holds the password for the target

          --target-password-env <VARIABLE>
              The variable that holds the password for the target

          --target-tls
              Speak TLS with the target, and trust the system's authorities

          --target-ca <FILE>
              Speak TLS with the target, and trust the authorities of this PEM file

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    "#);
}

#[test]
fn help_of_preflight() {
    assert_snapshot!(Place::empty().transcript(&["preflight", "--help"]), @r"
    ── stdout
    Ask whether this migration can work, before anything is copied

    Looks at both clusters: every broker, every right, what is stored and what the other side would
    take. What has to be tried is tried in ways that can have no effect, but for one: where it may, it
    makes the topic kafka-migrate.NAME.probe on the target, writes to it, reads it back and removes it.
    Commands that would put something right are printed, never run.

    Exit 0: it can work. 3: something is in the way, or could not be looked at.

    Usage: kafka-migrate preflight [OPTIONS]

    Options:
          --from-here
              Only look whether every broker can be reached from here, and write that to --out: for a
              machine in one of the replicators' subnets, where MSK Replicator copies

          --out <FILE>
              Where --from-here writes what it saw

          --vantage <FILE>
              What --from-here wrote in one of the subnets; it is believed for a day

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    ");
}

#[test]
fn help_of_ready() {
    assert_snapshot!(Place::empty().transcript(&["ready", "--help"]), @r#"
    ── stdout
    Ask the gates whether applications may move

    Every gate has to be open at three looks in a row, and for `ready.hold`; so it takes that long to
    say yes. It says no as soon as one is closed, or goes on looking with --wait. It changes nothing but
    the journal, which remembers what is waived.

    Exit 0: all gates are open. 3: one is closed, or could not be looked at.

    Usage: kafka-migrate ready [OPTIONS]

    Options:
          --wait <TIME>
              Look on for up to so long until the gates open, such as 30m; only changes are shown
              meanwhile

          --app <NAME>
              Ask about one application of the file only: its topics and its groups

          --waive <CODE=REASON>
              Let a gate be as it is, and say why: G212="nobody goes back". It stands in the journal,
              and counts for later commands too; with --app for that application only. Can be given
              several times

          --withdraw <CODE>
              Take back what was waived: the gate counts again. Can be given several times

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    "#);
}

#[test]
fn help_of_explain() {
    assert_snapshot!(Place::empty().transcript(&["explain", "--help"]), @r#"
    ── stdout
    Explain a code: a gate (G204) or an error (K101)

    Usage: kafka-migrate explain [OPTIONS] <CODE>

    Arguments:
      <CODE>
              The code, as it was printed

    Options:
      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    "#);
}

#[test]
fn help_of_replicate() {
    assert_snapshot!(Place::empty().transcript(&["replicate", "--help"]), @r#"
    ── stdout
    Copy the topics in scope to the target, each record once, in order, untouched

    Runs in the foreground and goes on where it left off, however it ended. Ctrl-C stops it cleanly:
    what was sent is answered, positions are written, and the next start goes on at once. A second
    Ctrl-C stops it at once, which is safe too; the next start then takes some seconds longer.

    With backend = "msk" it makes the secrets and both replicators, follows them until they run (half an
    hour is usual), and ends; they copy by themselves from then on; with --until caught-up it waits
    until copies of all last records are found on MSK. The same command changes what the file has
    otherwise by now.

    Usage: kafka-migrate replicate [OPTIONS]

    Options:
          --until <WHEN>
              When to end by itself [default: stopped; where MSK Replicator copies: running]

              Possible values:
              - caught-up: When all that was on the source at the start is on the target; exit 10 if a
                partition stopped on the way
              - running:   When both replicators run: MSK Replicator copies by itself from then on
              - stopped:   Never: it runs until somebody stops it

          --direction <DIRECTION>
              Only the replicator of this direction, where MSK Replicator copies [default: both]

              Possible values:
              - forward: From the external cluster to MSK
              - reverse: From MSK to the external cluster

          --rate <RATE>
              Read at most so many bytes per second, such as 50MB, or `auto`, or `unlimited`; wins over
              replication.rate in the file

          --accept-gap <TOPIC:PARTITION>
              Give up what stopped this partition, for good, and go on behind it; what was given up
              stays on record. `status` names what that would be, and the word for exactly this stop
              (TOPIC:PARTITION@OFFSET). Can be given several times; the same command again gives up
              nothing more

          --recopy <TOPIC[:PARTITION]>
              Copy a partition that has stopped again from the source's first record: what it holds on
              the target is deleted first. TOPIC alone is every partition of it that has stopped. Can be
              given several times; the same command again copies nothing twice

          --not-ours <TOPIC:PARTITION>
              What stopped this partition as perhaps a copy of our own (K560) was written by an
              application: copy it, and what follows it there under an epoch that no copy of ours has.
              Where an application went back without what it wrote (K562): copy that after all. Can be
              given several times; the same command again decides nothing more

          --confirm <NAME>
              The migration's name: the answer to what --recopy asks before it deletes

          --metrics <ADDR>
              Serve numbers for Prometheus at http://ADDR/metrics while it runs, such as 9464: a port
              alone is this machine's own

          --metrics-on-network
              Let --metrics listen where other machines reach it: names of topics are shown to whoever
              asks

          --dry-run
              Show the steps that this would take, and change nothing

          --plan <FILE>
              Do exactly the plan that `plan replicate --out FILE` wrote, with the rate and the ways
              past stops that it was made with; refused when what it rests on has changed

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    "#);
}

#[test]
fn help_of_status() {
    assert_snapshot!(Place::empty().transcript(&["status", "-h"]), @r#"
    ── stdout
    Show where the migration is: the engine, the lag of each topic, what is in the way

    Usage: kafka-migrate status [OPTIONS]

    Options:
      -w, --watch                           Look again and again until Ctrl-C: redrawn in place on a
                                            terminal, a line for each change elsewhere
          --map [<TOPIC:PARTITION:OFFSET>]  Show which offsets the ledgers can translate to the other
                                            cluster, and the place there of one
          --groups                          Show every group that is carried, not only those whose
                                            position is not exact
      -h, --help                            Print help (see more with '--help')

    Options of every command:
      -c, --config <FILE>  The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]
          --state <DIR>    Where local state lives [default: .kafka-migrate/NAME beside the file;
                           variable: KAFKA_MIGRATE_STATE]
          --json           Print JSON on stdout: one document, or for `replicate` a line per event
      -v, --verbose...     Say more; twice: also what happens inside, for a bug report
      -q, --quiet          Say only what went wrong
          --color <WHEN>   When to use colour [default: auto] [possible values: auto, always, never]
    ── exit 0
    "#);
}

#[test]
fn help_of_verify() {
    assert_snapshot!(Place::empty().transcript(&["verify", "--help"]), @r#"
    ── stdout
    Compare source and target, record by record

    Is every record in scope on the target, once, in order, with the same key, value, headers and
    timestamp, and nothing else? Where records also come back: is every record that applications wrote
    on the target on the source, too? It looks up to the ends seen when it begins, and may run beside
    the engine. It changes nothing.

    Exit 0: the same. 8: they differ, and the first ten differences are shown. 3: what the target holds
    is right, but it does not hold everything yet.

    Usage: kafka-migrate verify [OPTIONS]

    Options:
          --show-values
              Show what the differing records hold, not only where they are and how long

          --at-once <N>
              Compare so many partitions at the same time, each in a few MiB of memory [default: 4]

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
      -c, --config <FILE>
              The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]

          --state <DIR>
              Where local state lives [default: .kafka-migrate/NAME beside the file; variable:
              KAFKA_MIGRATE_STATE]

          --json
              Print JSON on stdout: one document, or for `replicate` a line per event

      -v, --verbose...
              Say more; twice: also what happens inside, for a bug report

      -q, --quiet
              Say only what went wrong

          --color <WHEN>
              When to use colour [default: auto]

              Possible values:
              - auto:   On a terminal, unless NO_COLOR or CI is set
              - always: Always
              - never:  Never
    ── exit 0
    "#);
}

#[test]
fn help_of_config() {
    assert_snapshot!(Place::empty().transcript(&["config", "-h"]), @r#"
    ── stdout
    Show the settings in force, each with its origin

    Usage: kafka-migrate config [OPTIONS]

    Options:
      -h, --help  Print help (see more with '--help')

    Options of every command:
      -c, --config <FILE>  The migration file [default: migration.toml; variable: KAFKA_MIGRATE_CONFIG]
          --state <DIR>    Where local state lives [default: .kafka-migrate/NAME beside the file;
                           variable: KAFKA_MIGRATE_STATE]
          --json           Print JSON on stdout: one document, or for `replicate` a line per event
      -v, --verbose...     Say more; twice: also what happens inside, for a bug report
      -q, --quiet          Say only what went wrong
          --color <WHEN>   When to use colour [default: auto] [possible values: auto, always, never]
    ── exit 0
    "#);
}

#[test]
fn completions_and_the_manual_page_know_every_command() {
    let commands = [
        "plan",
        "replicate",
        "throttle",
        "status",
        "verify",
        "completions",
    ];
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = place.run(&["completions", shell]);
        printed.assert_exit(0);
        for word in commands.iter().chain(&["accept-gap"]) {
            assert!(printed.stdout.contains(word), "{shell}: {word}");
        }
    }
    let page = place.run(&["man"]);
    page.assert_exit(0);
    assert!(page.stdout.contains(".TH kafka-migrate 1"), "{page}");
    for word in commands
        .iter()
        .chain(&["accept\\-gap", "Give up what stopped"])
    {
        assert!(page.stdout.contains(word), "{word}");
    }
}

#[test]
fn version_is_one_line() {
    let finished = Place::empty().run(&["--version"]);
    finished.assert_exit(0);
    assert_eq!(
        finished.stdout,
        format!("kafka-migrate {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_unknown_command_names_the_nearest() {
    assert_snapshot!(Place::empty().transcript(&["replicat"]), @r#"
    ── stderr
    error[K004]: unrecognized subcommand 'replicat'
    hint: some similar subcommands exist: 'explain', 'report', 'preflight', 'replicate'
    next: kafka-migrate --help      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn an_unknown_flag_names_the_nearest() {
    assert_snapshot!(Place::empty().transcript(&["replicate", "--untl", "caught-up"]), @r#"
    ── stderr
    error[K004]: unexpected argument '--untl' found
    hint: a similar argument exists: '--until'
    next: kafka-migrate replicate --help      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_wrong_value_of_a_flag_names_the_right_ones() {
    assert_snapshot!(Place::empty().transcript(&["replicate", "--until", "tomorrow"]), @r"
    ── stderr
    error[K004]: invalid value 'tomorrow' for '--until <WHEN>'
       [possible values: caught-up, running, stopped]
    next: kafka-migrate replicate --help      exit 2 (usage)
    ── exit 2
    ");
    assert_snapshot!(Place::empty().transcript(&["verify", "--at-once", "0"]), @r#"
    ── stderr
    error[K004]: invalid value '0' for '--at-once <N>': 0 is not in 1..=256
    next: kafka-migrate verify --help      exit 2 (usage)
    ── exit 2
    "#);
}

#[test]
fn a_command_line_that_is_not_understood_is_json_where_json_is_asked_for() {
    assert_snapshot!(Place::empty().transcript(&["--json", "cutover"]), @r#"
    ── stdout
    {"v":1,"at":"DATE","migration":null,"event":"failed","exit":2,"exit_name":"usage","code":"K004","message":"the following required arguments were not provided:","causes":["<--app <NAME>|--all>"],"hints":[],"next":"kafka-migrate cutover --help"}
    ── exit 2
    "#);
}
