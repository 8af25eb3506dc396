//! Where the read-only key comes from: the environment, a profile of the shared AWS files, a
//! program, a systemd credential, or Vault.
//!
//! Providers are built by name and never through the default chain, because that chain asks the
//! network's instance metadata service when nothing else answers. Nothing here is logged or
//! written; `Debug` says only where the key comes from; what we hold of a secret ourselves is
//! zeroed after use.

mod files;
mod keep;
mod profile;
mod single;
mod systemd;
mod text;
mod vault;

pub use single::{Text, handed_by_systemd, variable};

use crate::error::{Error, Kind, Result};
use crate::object::KeyPrint;
use aws_config::credential_process::CredentialProcessProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use profile::Profile;
use std::fmt;
use tokio::sync::OnceCell;
use vault::Place;

pub use keep::keep;

/// A place that the key comes from, ready to be asked.
#[derive(Clone)]
pub struct Credentials {
    origin: Origin,
    provider: SharedCredentialsProvider,
}

#[derive(Clone, PartialEq, Eq)]
enum Origin {
    Environment,
    Profile(String),
    Process(String),
    Systemd(String),
    Vault(Place),
    Given,
}

/// The ways to write the setting, for errors.
const PLACES: &str = "write credentials = \"env\", \"profile:NAME\", \"process:COMMAND\", \"systemd:NAME\" or \"vault:MOUNT/PATH\"; never the key itself";

impl Origin {
    fn parse(setting: &str) -> Option<Self> {
        let Some((kind, rest)) = setting.split_once(':') else {
            return (setting == "env").then_some(Self::Environment);
        };
        match kind {
            "profile" if !rest.is_empty() => Some(Self::Profile(rest.to_owned())),
            "process" if !rest.trim().is_empty() => Some(Self::Process(rest.to_owned())),
            "systemd" if systemd::is_name(rest) => Some(Self::Systemd(rest.to_owned())),
            "vault" => Place::parse(rest).map(Self::Vault),
            _ => None,
        }
    }

    fn provider(&self) -> Result<SharedCredentialsProvider> {
        Ok(match self {
            Self::Environment | Self::Given => {
                SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
            }
            Self::Profile(name) => {
                files::only_ours()?;
                SharedCredentialsProvider::new(Profile::new(name)?)
            }
            Self::Process(command) => {
                SharedCredentialsProvider::new(CredentialProcessProvider::new(command.clone()))
            }
            Self::Systemd(_) | Self::Vault(_) => SharedCredentialsProvider::new(Ours {
                origin: self.clone(),
                got: OnceCell::new(),
            }),
        })
    }
}

impl Credentials {
    /// The place that the configuration names: `env`, `profile:NAME`, `process:COMMAND`,
    /// `systemd:NAME` or `vault:MOUNT/PATH`.
    pub fn from(setting: &str) -> Result<Self> {
        // What stands there may be a key that someone pasted: it is not repeated.
        let origin = Origin::parse(setting).ok_or_else(|| {
            let what = "the setting `credentials` names no place to take the key from";
            Error::new(Kind::Usage, what).hint(PLACES)
        })?;
        Ok(Self {
            provider: origin.provider()?,
            origin,
        })
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

    /// Asks once, so that a missing key is said before the bucket is asked anything; says which
    /// key it is.
    pub async fn check(&self) -> Result<KeyPrint> {
        let answer = self.provider.provide_credentials().await;
        match answer {
            Ok(key) => Ok(KeyPrint::of(key.access_key_id())),
            Err(error) => {
                log::debug!("no credentials from {:?}", self.origin);
                Err(self.missing(&error))
            }
        }
    }

    fn missing(&self, error: &CredentialsError) -> Error {
        match &self.origin {
            Origin::Environment | Origin::Given => Error::new(
                Kind::Usage,
                "there is no key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
            )
            .hint("set both in the environment of this program, or use credentials = \"profile:NAME\""),
            Origin::Profile(name) => Error::new(
                Kind::Usage,
                format!("there is no key: profile {name:?} of the shared AWS files has none that works here"),
            )
            .because(words(error))
            .hint(format!("the profile stands in ~/.aws/credentials (or $AWS_SHARED_CREDENTIALS_FILE) with aws_access_key_id and aws_secret_access_key; one that signs in by SSO needs `aws sso login --profile {name}` first")),
            Origin::Process(_) => Error::new(
                Kind::Usage,
                "there is no key: the command of credentials = \"process:...\" brought none",
            )
            .because(words(error))
            .hint("run it by hand: it must print JSON with \"Version\": 1, \"AccessKeyId\" and \"SecretAccessKey\", and end with 0"),
            Origin::Systemd(_) | Origin::Vault(_) => ours(error),
        }
    }

    /// The provider, for the client that signs requests.
    pub fn provider(&self) -> SharedCredentialsProvider {
        self.provider.clone()
    }
}

/// A command line may hold a secret.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Profile(name) => write!(f, "Profile({name:?})"),
            Self::Process(_) => f.write_str("Process(..)"),
            Self::Systemd(name) => write!(f, "Systemd({name:?})"),
            Self::Vault(place) => write!(f, "Vault({place:?})"),
            Self::Given => f.write_str("Given"),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.origin)
    }
}

/// The places that the SDK does not know, and what the first of many askers got: a secret id may
/// be good for one login.
#[derive(Debug)]
struct Ours {
    origin: Origin,
    got: OnceCell<aws_credential_types::Credentials>,
}

impl Ours {
    async fn key(&self) -> Result<aws_credential_types::Credentials> {
        match &self.origin {
            Origin::Systemd(name) => systemd::key(name),
            Origin::Vault(place) => place.key().await,
            _ => Err(Error::new(Kind::Run, "this place is the SDK's to ask")),
        }
    }
}

impl ProvideCredentials for Ours {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let got = self.got.get_or_try_init(|| self.key()).await;
            got.cloned().map_err(CredentialsError::provider_error)
        })
    }
}

/// Our own words, back from the SDK's wrapping.
fn ours(error: &CredentialsError) -> Error {
    let said = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>());
    match said {
        Some(said) => {
            let again = Error::new(said.kind(), said.to_string());
            match said.way_out() {
                Some(hint) => again.hint(hint),
                None => again,
            }
        }
        None => Error::new(Kind::Usage, "there is no key").because(words(error)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_places() {
        assert!(Credentials::from("env").is_ok());
        assert!(Credentials::from("profile:offsite").is_ok());
        for good in [
            "process:/usr/local/bin/key",
            "systemd:offsite-s3",
            "vault:secret/offsite",
        ] {
            assert!(Credentials::from(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "profile:",
            "imds",
            "AKIAEXAMPLE:secret",
            "env:x",
            "process: ",
            "systemd:",
            "systemd:../x",
            "vault:secret",
            "vault:",
        ] {
            let error = Credentials::from(bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{bad}");
            assert!(!error.to_string().contains("AKIA"), "{error}");
        }
    }

    #[test]
    fn debug_says_only_where_from() {
        let text = format!("{:?}", Credentials::from("systemd:x").unwrap());
        assert_eq!(text, "Credentials(Systemd(\"x\"))");
        let text = format!("{:?}", Credentials::from("process:echo hunter2").unwrap());
        assert_eq!(text, "Credentials(Process(..))");
    }
}
