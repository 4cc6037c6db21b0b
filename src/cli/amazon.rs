//! What settings need from Amazon before a command connects: secrets that they refer to, and tokens. A build without AWS has neither.

use std::collections::BTreeMap;

use crate::{
    config::Amazon,
    error::Failure,
    model::secret::{Secret, Stored},
};

/// What settings are read with at first: nothing is asked of anybody.
pub fn nothing_asked() -> Amazon {
    Amazon {
        #[cfg(feature = "aws")]
        tokens: Some(crate::aws::token::of_region),
        #[cfg(not(feature = "aws"))]
        tokens: None,
        secrets: BTreeMap::new(),
    }
}

/// The same with the secrets that settings refer to.
pub async fn with(wanted: &[Stored]) -> Result<Amazon, Failure> {
    Ok(Amazon {
        secrets: fetch(wanted).await?,
        ..nothing_asked()
    })
}

#[cfg(feature = "aws")]
async fn fetch(wanted: &[Stored]) -> Result<BTreeMap<Stored, Secret>, Failure> {
    // Its state is large, and most commands have nothing to fetch.
    Box::pin(crate::aws::reference::fetch(wanted)).await
}

#[cfg(not(feature = "aws"))]
async fn fetch(_: &[Stored]) -> Result<BTreeMap<Stored, Secret>, Failure> {
    unreachable!("without AWS such a reference is a fault of the settings")
}
