//! Where the read-only key comes from: the environment, or a profile of the shared AWS files.
//!
//! Providers are built by name and never through the default chain, because that chain asks the
//! network's instance metadata service when nothing else answers. Nothing here is logged or
//! written; `Debug` says only where the key comes from.

use crate::error::{Error, Kind, Result};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::fmt;

/// A place that the key comes from, ready to be asked.
#[derive(Clone)]
pub struct Credentials {
    origin: Origin,
    provider: SharedCredentialsProvider,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Environment,
    Profile(String),
    Given,
}

impl Credentials {
    /// The place that the configuration names: `env` or `profile:NAME`.
    pub fn from(setting: &str) -> Result<Self> {
        let origin = match setting.split_once(':') {
            None if setting == "env" => Origin::Environment,
            Some(("profile", name)) if !name.is_empty() => Origin::Profile(name.to_owned()),
            _ => {
                // What stands there may be a key that someone pasted: it is not repeated.
                return Err(Error::new(
                    Kind::Usage,
                    "the setting `credentials` names no place to take the key from",
                )
                .hint("write credentials = \"env\" or \"profile:NAME\"; never the key itself"));
            }
        };
        let provider = match &origin {
            Origin::Environment | Origin::Given => {
                SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
            }
            Origin::Profile(name) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .profile_name(name)
                    // A profile may say `credential_source = Ec2InstanceMetadata`.
                    .with_custom_provider("Ec2InstanceMetadata", Refused)
                    .with_custom_provider("EcsContainer", Refused)
                    .build(),
            ),
        };
        Ok(Self { origin, provider })
    }

    /// A key that the caller has: the demo's, whose bucket is its own. Never one of the owner's.
    pub fn given(id: &str, secret: &str) -> Self {
        Self {
            origin: Origin::Given,
            provider: SharedCredentialsProvider::new(aws_credential_types::Credentials::new(
                id, secret, None, None, "given",
            )),
        }
    }

    /// Asks once, so that a missing key is said before the bucket is asked anything.
    pub async fn check(&self) -> Result<()> {
        let answer = self.provider.provide_credentials().await;
        let Err(error) = answer else { return Ok(()) };
        log::debug!("no credentials from {:?}: {error}", self.origin);
        Err(match &self.origin {
            Origin::Environment | Origin::Given => Error::new(
                Kind::Usage,
                "there is no key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
            )
            .hint("set both in the environment of this program, or use credentials = \"profile:NAME\""),
            Origin::Profile(name) => Error::new(
                Kind::Usage,
                format!("there is no key: profile {name:?} of the shared AWS files has none that works here"),
            )
            .because(words(&error))
            .hint("the profile stands in ~/.aws/credentials (or $AWS_SHARED_CREDENTIALS_FILE) with aws_access_key_id and aws_secret_access_key"),
        })
    }

    /// The provider, for the client that signs requests.
    pub fn provider(&self) -> SharedCredentialsProvider {
        self.provider.clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.origin)
    }
}

/// The class of a provider's failure. Its own text is left out: it can quote the file.
fn words(error: &CredentialsError) -> &'static str {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => "no such profile, or no key in it",
        CredentialsError::ProviderTimedOut(_) => "it took too long to answer",
        CredentialsError::InvalidConfiguration(_) => "it is not written as it should be",
        CredentialsError::ProviderError(_) => "asking for it failed",
        _ => "it could not be read",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_places() {
        assert!(Credentials::from("env").is_ok());
        assert!(Credentials::from("profile:offsite").is_ok());
        for bad in ["", "profile:", "imds", "AKIAEXAMPLE:secret", "env:x"] {
            let error = Credentials::from(bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{bad}");
            assert!(!error.to_string().contains("AKIA"), "{error}");
        }
    }

    #[test]
    fn debug_says_only_where_from() {
        let text = format!("{:?}", Credentials::from("profile:x").unwrap());
        assert_eq!(text, "Credentials(Profile(\"x\"))");
    }
}
