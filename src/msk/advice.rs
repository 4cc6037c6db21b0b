//! What a person does about a replicator that failed, or about a line in its log: MSK's list of failures as a table.

/// A cause, and the cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// What is behind it.
    pub cause: &'static str,
    /// What to do.
    pub cure: &'static str,
}

/// By what the text says, in lower case; the first that fits. The service does not publish its texts, so they are matched loosely.
const TABLE: &[(&[&str], Advice)] = &[
    (
        &["larger than 10485760", "max.request.size"],
        Advice {
            cause: "a record is larger than 10 MB, which a replicator does not carry",
            cure: "write smaller records, or ask AWS support for a larger limit",
        },
    ),
    (
        &[
            "larger than the max message size",
            "message too large",
            "recordtoolarge",
        ],
        Advice {
            cause: "a batch is larger than the topic takes on the other side",
            cure: "raise max.message.bytes of that topic there",
        },
    ),
    (
        &["timestamp", "out of range"],
        Advice {
            cause: "a record is older or newer than the topic takes on the other side; Express brokers take one day by default",
            cure: "raise message.timestamp.before.max.ms there, on the brokers or on the topic, before anything is copied",
        },
    ),
    (
        &["larger than the configured segment size"],
        Advice {
            cause: "segment.bytes of the topic on the other side is smaller than a batch",
            cure: "set segment.bytes there to 1048576 or more",
        },
    ),
    (
        &["certificate", "ssl handshake", "pkix", "tls"],
        Advice {
            cause: "the external cluster's certificates are not trusted: the chain in the secret is not complete, one has expired, or the listener is not on every broker",
            cure: "put root and intermediates into the secret's `certificate`, then run `kafka-migrate replicate` again",
        },
    ),
    (
        &[
            "topic authorization",
            "topicauthorization",
            "not authorized to access topics",
        ],
        Advice {
            cause: "the replicator may not read or write a topic",
            cure: "give the SCRAM user, or the role, the rights that `kafka-migrate plan replicate` prints",
        },
    ),
    (
        &["group authorization", "groupauthorization"],
        Advice {
            cause: "the replicator may not read or commit positions of a group",
            cure: "give the SCRAM user Read and Describe of the groups, or the role kafka-cluster:AlterGroup",
        },
    ),
    (
        &["sasl", "authentication fail", "invalid credentials"],
        Advice {
            cause: "the external cluster refuses the login in the secret",
            cure: "compare user, password and mechanism with the cluster's SCRAM user, then run `kafka-migrate replicate` again: it writes a new version of the secret",
        },
    ),
    (
        &["secretsmanager", "secret", "kms"],
        Advice {
            cause: "the replicator cannot read its secret: the role may not, or the subnets have no way to Secrets Manager and KMS",
            cure: "check the role's policy, and that the subnets have a NAT gateway or interface endpoints of secretsmanager and kms",
        },
    ),
    (
        &["assume", "role", "access denied", "accessdenied"],
        Advice {
            cause: "the role cannot be assumed, or lacks a right",
            cure: "compare its trust policy and its policy with those that `kafka-migrate plan replicate` prints",
        },
    ),
    (
        &[
            "timed out",
            "timeout",
            "unreachable",
            "connect",
            "network",
            "dns",
            "resolve",
        ],
        Advice {
            cause: "brokers cannot be reached from the replicator's subnets",
            cure: "check security groups both ways (MSK 9098, the external listener's port), routes over VPN or Direct Connect, network ACLs, and that the subnets resolve every advertised name",
        },
    ),
];

/// Where nothing else fits.
const OF_STATE: Advice = Advice {
    cause: "it could not be set up",
    cure: "check, in this order: security groups both ways, the role's policy with writing to topics, network ACLs, the load of both clusters; then remove it and run `kafka-migrate replicate` again",
};

/// What is behind the state of a replicator that failed.
pub fn of_state(code: &str, message: &str) -> Advice {
    matching(&format!("{code} {message}")).unwrap_or(OF_STATE)
}

/// What is behind a line of a replicator's log, if it is one that anything is known of.
pub fn of_log(line: &str) -> Option<Advice> {
    let is_trouble = [
        "error",
        "exception",
        "warn",
        "fail",
        "larger than",
        "out of range",
    ];
    let lower = line.to_lowercase();
    is_trouble
        .iter()
        .any(|word| lower.contains(word))
        .then(|| matching(line))
        .flatten()
}

fn matching(text: &str) -> Option<Advice> {
    let lower = text.to_lowercase();
    let fits = |words: &&[&str]| match words {
        ["timestamp", rest] => lower.contains("timestamp") && lower.contains(rest),
        words => words.iter().any(|word| lower.contains(word)),
    };
    TABLE
        .iter()
        .find(|(words, _)| fits(words))
        .map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_text_leads_to_its_cure() {
        for (text, cure) in [
            (
                "ReplicatorException: The message is 12000000 bytes when serialized which is larger than 10485760, which is the value of the max.request.size",
                "smaller records",
            ),
            (
                "The request included a message larger than the max message size the server will accept. Topic: orders, Partition: 1",
                "max.message.bytes",
            ),
            (
                "Error: Timestamp 1700000000000 of message with offset 0 is out of range",
                "message.timestamp.before.max.ms",
            ),
            (
                "error: The request included message batch larger than the configured segment size on the server.",
                "segment.bytes",
            ),
            ("ERROR SSL handshake failed", "root and intermediates"),
            (
                "WARN Topic authorization failed for topics [orders]",
                "rights",
            ),
            (
                "ERROR SASL authentication failed",
                "new version of the secret",
            ),
        ] {
            let advice = of_log(text).expect(text);
            assert!(advice.cure.contains(cure), "{text}: {advice:?}");
        }
        assert_eq!(of_log("INFO topic orders was created"), None);
        assert!(
            of_state("", "Failed to connect to brokers")
                .cure
                .contains("security groups both ways (MSK 9098")
        );
        assert!(
            of_state("", "Cannot assume the execution role")
                .cure
                .contains("trust policy")
        );
        assert_eq!(of_state("X", "gremlins"), OF_STATE);
    }
}
