//! A person's word that a gate may be as it is: for what, who, when and why; it stands in the journal until it is withdrawn.

use serde::{Deserialize, Serialize};

/// One gate that a person answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The gate's code.
    pub gate: String,
    /// The application it was given for; `None`: the whole migration, and so every application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When, in milliseconds since 1970, by that person's clock.
    pub at_ms: i64,
}

impl Waiver {
    /// Does it count where this is asked about?
    pub fn counts_for(&self, application: Option<&str>) -> bool {
        self.application.is_none() || self.application.as_deref() == application
    }

    /// Says it the same, whenever and by whom it was said?
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.gate, &self.application, &self.reason)
            == (&other.gate, &other.application, &other.reason)
    }

    /// Is it of this gate, and given for this?
    pub fn is_of(&self, gate: &str, application: Option<&str>) -> bool {
        self.gate == gate && self.application.as_deref() == application
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waived_for_one_application_is_waived_for_no_other() {
        let of = |application: Option<&str>| Waiver {
            gate: "G212".into(),
            application: application.map(Into::into),
            reason: "nobody goes back".into(),
            by: "ann on ferry".into(),
            at_ms: 7,
        };
        let (whole, one) = (of(None), of(Some("orders")));
        assert!(whole.counts_for(None) && whole.counts_for(Some("orders")));
        assert!(one.counts_for(Some("orders")));
        assert!(!one.counts_for(Some("billing")) && !one.counts_for(None));
    }
}
