//! Where this machine is, by the metadata of its instance: which subnets its interfaces are in.

use aws_config::imds;

use crate::{error::Failure, exit::Exit};

const MACS: &str = "/latest/meta-data/network/interfaces/macs/";

/// The subnets of this machine's interfaces. Only an instance of EC2 can tell.
pub async fn subnets() -> Result<Vec<String>, Failure> {
    let client = imds::Client::builder().build();
    let ask = async |path: String| {
        let answer = client.get(path).await;
        answer
            .map(|text| text.as_ref().to_owned())
            .map_err(|error| {
                Failure::new(
                    Exit::Aws,
                    "K330",
                    "this machine does not tell which subnet it is in",
                )
                .because(&error)
                .hint("run this on an EC2 instance in one of `msk.subnets`, with its metadata on")
            })
    };
    let macs = ask(MACS.to_owned()).await?;
    let mut subnets = Vec::new();
    for mac in macs.split_whitespace() {
        let mac = mac.trim_end_matches('/');
        subnets.push(ask(format!("{MACS}{mac}/subnet-id")).await?);
    }
    Ok(subnets)
}
