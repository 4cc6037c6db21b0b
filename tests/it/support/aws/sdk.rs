//! AWS's own client for the fake, as the program uses it, with nothing of the environment of who runs the tests.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;

use super::{ACCESS_KEY, Aws, REGION, SECRET_KEY};

impl Aws {
    /// The configuration of a client with the right login, which tries nothing twice.
    pub fn sdk(&self) -> SdkConfig {
        self.sdk_as(
            REGION,
            Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"),
        )
    }

    /// The same for another region or another login.
    pub fn sdk_as(&self, region: &str, credentials: Credentials) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(
                aws_credential_types::provider::SharedCredentialsProvider::new(credentials),
            )
            .endpoint_url(self.endpoint())
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(Duration::from_secs(60))
                    .build(),
            )
            .build()
    }
}
