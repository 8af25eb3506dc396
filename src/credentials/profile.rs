//! A profile of the shared AWS files: a key, or the way to one by a role or by SSO.

use crate::error::Result;
use crate::http;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::OnceCell;

/// Where roles are handed out when nothing names a region, as for the AWS tools (AWS SDKs and
/// Tools Reference Guide, "AWS STS Regional endpoints").
const REGION: &str = "us-east-1";

/// The provider of one profile, made when it is first asked.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    network: ProviderConfig,
    made: OnceCell<ProfileFileCredentialsProvider>,
}

impl Profile {
    /// A profile may sign in by SSO or assume a role: that goes over the network, with our own
    /// TLS.
    pub(super) fn new(name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            network: ProviderConfig::without_region().with_http_client(http::client(None)?),
            made: OnceCell::new(),
        })
    }

    /// The region by name and never by the default chain, which asks the instance's metadata.
    async fn provider(&self) -> ProfileFileCredentialsProvider {
        let of_profile = ProfileFileRegionProvider::builder().profile_name(&self.name);
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(of_profile.build())
            .or_else(REGION);
        let network = self.network.clone().with_region(region.region().await);
        ProfileFileCredentialsProvider::builder()
            .configure(&network)
            .profile_name(&self.name)
            // A profile may say `credential_source = Ec2InstanceMetadata`.
            .with_custom_provider("Ec2InstanceMetadata", Refused)
            .with_custom_provider("EcsContainer", Refused)
            .build()
    }
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let provider = self.made.get_or_init(|| self.provider()).await;
            provider.provide_credentials().await
        })
    }
}

/// Stands in for the providers that would ask the network who we are.
#[derive(Debug)]
struct Refused;

impl ProvideCredentials for Refused {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(
            "instance and container metadata are never asked",
        )))
    }
}
