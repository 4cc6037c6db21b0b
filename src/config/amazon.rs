//! What settings take from Amazon: secrets that were fetched before, tokens that are made when they are needed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{fault, overlay::Resolving};
use crate::model::{
    connection::{Auth, Tokens},
    names::Side,
    secret::{Secret, Stored},
};

/// Makes what makes tokens for MSK in a region.
pub type MakeTokens = fn(&str) -> Arc<dyn Tokens>;

/// What only Amazon can tell, given by whoever reads the settings: nothing here waits for a network.
#[derive(Clone, Default)]
pub struct Amazon {
    /// What makes tokens for MSK in a region; none in a build without AWS.
    pub tokens: Option<MakeTokens>,
    /// Secrets that were fetched.
    pub secrets: BTreeMap<Stored, Secret>,
}

impl fmt::Debug for Amazon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fetched secrets", self.secrets.len())
    }
}

/// What is said where a build has no AWS, and what to do.
pub(super) const NOT_BUILT: (&str, &str) = (
    "this build of kafka-migrate has no AWS",
    "use one that was built with the feature `aws`",
);

impl Resolving<'_> {
    /// Whether MSK Replicator copies, not our own engine.
    pub(super) fn is_msk(&self) -> bool {
        self.text("backend").as_deref() == Some("msk")
    }

    /// A login with AWS's own credentials; they are looked for where AWS's tools look for them.
    pub(super) fn msk_iam(&mut self, side: Side) -> Option<Auth> {
        let at = |key: &str| format!("{side}.auth.{key}");
        for key in ["username", "password"] {
            if self.value(&at(key)).is_some() {
                self.fault_of(
                    &at(key),
                    fault::BAD_VALUE,
                    "is set, but msk-iam takes none".into(),
                    Some(
                        "leave it out: AWS's credentials are looked for where `aws` looks for them"
                            .into(),
                    ),
                );
            }
        }
        let Some(tokens) = self.amazon.tokens else {
            let hint = Some(NOT_BUILT.1.to_owned());
            self.fault_of(
                &at("mechanism"),
                fault::UNAVAILABLE,
                format!("msk-iam is not available: {}", NOT_BUILT.0),
                hint,
            );
            return None;
        };
        let Some(region) = self.region_of(side) else {
            let hint = "set `msk.region` or the variable AWS_REGION, or name brokers as MSK names them, such as b-1.NAME.….kafka.us-east-1.amazonaws.com:9098";
            self.fault_of(
                &at("mechanism"),
                fault::MISSING,
                format!(
                    "msk-iam needs the cluster's region, and `{side}.bootstrap` does not show it"
                ),
                Some(hint.into()),
            );
            return None;
        };
        Some(Auth::Bearer(tokens(&region)))
    }

    /// The region of an MSK cluster: what its brokers' names say, or somebody.
    fn region_of(&self, side: Side) -> Option<String> {
        let hosts = self.texts(&format!("{side}.bootstrap")).unwrap_or_default();
        let named = hosts.iter().find_map(|host| region_in(host));
        let said = || self.text("msk.region");
        let around = || {
            ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .iter()
                .find_map(|name| self.environment.get(*name).cloned())
                .filter(|region| !region.is_empty())
        };
        named.map(str::to_owned).or_else(said).or_else(around)
    }
}

/// The region in the name that MSK gave a broker.
fn region_in(host_and_port: &str) -> Option<&str> {
    let host = host_and_port.rsplit_once(':')?.0;
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let rest = host.strip_suffix(".amazonaws.com")?;
    let (before, region) = rest.rsplit_once('.')?;
    let service = before.rsplit('.').next()?;
    (service == "kafka" || service == "kafka-serverless").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_stands_in_the_names_of_brokers() {
        for (host, region) in [
            (
                "b-1.my.abc123.c2.kafka.us-east-1.amazonaws.com:9098",
                Some("us-east-1"),
            ),
            (
                "boot-abc.c1.kafka-serverless.eu-west-1.amazonaws.com:9098",
                Some("eu-west-1"),
            ),
            (
                "b-1.my.abc123.c2.kafka.cn-north-1.amazonaws.com.cn:9098",
                Some("cn-north-1"),
            ),
            ("kafka.example.com:9098", None),
            ("b-1.my.s3.us-east-1.amazonaws.com:9098", None),
            ("amazonaws.com:9098", None),
        ] {
            assert_eq!(region_in(host), region, "{host}");
        }
    }
}
