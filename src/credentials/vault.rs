//! HashiCorp Vault or OpenBao, secrets engine KV version 2 (Vault HTTP API, "KV secrets engine -
//! version 2" and "AppRole auth method").
//!
//! The server stands in `VAULT_ADDR`. Who we are: a token, or an AppRole's role id with its secret
//! id. The token and the secret id come as systemd credentials, `vault-token` or
//! `vault-secret-id`, or from the environment, `VAULT_TOKEN` or `VAULT_SECRET_ID`.

use super::systemd;
use crate::error::{Error, Kind, Result};
use crate::http;
use aws_credential_types::Credentials;
use serde::Deserialize;
use std::time::Duration;
use vaultrs::client::{Client as _, VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// How long one answer may take: the server is near, or in trouble.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where in Vault a key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    mount: String,
    path: String,
}

/// The fields that a key is kept in.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Fields {
    #[serde(alias = "AWS_ACCESS_KEY_ID", alias = "access_key_id")]
    aws_access_key_id: String,
    #[serde(alias = "AWS_SECRET_ACCESS_KEY", alias = "secret_access_key")]
    aws_secret_access_key: String,
    #[serde(default, alias = "AWS_SESSION_TOKEN", alias = "session_token")]
    aws_session_token: Option<String>,
}

/// Who we are to Vault.
enum Login {
    Token(Zeroizing<String>),
    AppRole {
        role: String,
        secret: Zeroizing<String>,
    },
}

impl Place {
    /// `MOUNT/PATH`, each of plain characters: they become part of a URL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mount, path) = text.split_once('/')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
        let segments = |text: &str| {
            text.split('/')
                .all(|s| !s.is_empty() && s != "." && s != "..")
        };
        let good = segments(mount) && segments(path) && text.bytes().all(plain);
        good.then(|| Self {
            mount: mount.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The key that lies here now.
    pub(super) async fn key(&self) -> Result<Credentials> {
        let address = address()?;
        let login = Login::find()?;
        let mut client = client(&address, &login)?;
        if let Login::AppRole { role, secret } = &login {
            let auth = vaultrs::auth::approle::login(&client, &mount_of_approle(), role, secret)
                .await
                .map_err(|e| login_failed(&address, &e))?;
            client.set_token(&auth.client_token);
        }
        let fields: Fields = vaultrs::kv2::read(&client, &self.mount, &self.path)
            .await
            .map_err(|e| self.failed(&address, &e))?;
        let token = fields.aws_session_token.clone();
        Ok(Credentials::new(
            fields.aws_access_key_id.as_str(),
            fields.aws_secret_access_key.as_str(),
            token,
            None,
            "offsite",
        ))
    }

    /// What an answer to the read means.
    fn failed(&self, address: &str, error: &ClientError) -> Error {
        let Self { mount, path } = self;
        match error {
            ClientError::APIError { code: 403, .. } => Error::new(
                Kind::Usage,
                format!("Vault denies {mount}/{path}: its policy does not allow the read, or the token's lease has ended"),
            )
            .hint(format!(
                "the policy needs: path \"{mount}/data/{path}\" {{ capabilities = [\"read\"] }}; a new token comes from `vault token create` or an AppRole"
            )),
            ClientError::APIError { code: 404, .. } => {
                Error::new(Kind::Usage, format!("Vault has nothing at {mount}/{path}")).hint(format!(
                    "put it there: `vault kv put {mount}/{path} aws_access_key_id=... aws_secret_access_key=...`; the engine must be KV version 2"
                ))
            }
            // The data came and is not what it should be: never quoted.
            ClientError::JsonParseError { .. } | ClientError::ResponseDataEmptyError => Error::new(
                Kind::Usage,
                format!("{mount}/{path} in Vault does not hold a key"),
            )
            .hint("it needs the fields aws_access_key_id and aws_secret_access_key"),
            other => unwell(address, other),
        }
    }
}

/// What an answer to a login means.
fn login_failed(address: &str, error: &ClientError) -> Error {
    match error {
        ClientError::APIError {
            code: 400 | 403, ..
        } => Error::new(
            Kind::Usage,
            "Vault does not accept this AppRole's role id and secret id",
        )
        .hint("a secret id can be used up or have ended: `vault write -f auth/approle/role/NAME/secret-id` makes a new one"),
        other => unwell(address, other),
    }
}

/// What has nothing to do with the question.
fn unwell(address: &str, error: &ClientError) -> Error {
    match error {
        ClientError::APIError { code: 503, .. } => {
            Error::new(Kind::Run, format!("Vault at {address} is sealed"))
                .hint("whoever holds the unseal keys runs `vault operator unseal`; then the next run works")
        }
        ClientError::APIError { code, .. } => {
            Error::new(Kind::Run, format!("Vault at {address} answered {code}"))
                .hint("look at its log; is VAULT_ADDR right?")
        }
        other if let Some((why, way_out)) = http::certificate_trouble(other, "the file of VAULT_CACERT") => {
            Error::new(Kind::Run, format!("cannot trust Vault at {address}"))
                .because(why)
                .hint(way_out)
        }
        ClientError::RestClientError { .. } => {
            Error::new(Kind::Run, format!("cannot reach Vault at {address}"))
                .hint("is VAULT_ADDR right, does the network work from here, and is its CA known (VAULT_CACERT)?")
        }
        _ => Error::new(Kind::Run, format!("Vault at {address} answered as it should not"))
            .hint("is VAULT_ADDR the address of a Vault or OpenBao server?"),
    }
}

/// `VAULT_ADDR`, checked: the client's own check would panic.
fn address() -> Result<String> {
    let text = std::env::var("VAULT_ADDR").unwrap_or_default();
    let hint = "write it whole, such as https://vault.example.org:8200, into the environment of this program";
    let url = reqwest::Url::parse(&text).map_err(|_| {
        let what = match text.is_empty() {
            true => "VAULT_ADDR is not set".to_owned(),
            false => "VAULT_ADDR is not a URL".to_owned(),
        };
        Error::new(Kind::Usage, what).hint(hint)
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        let what = "VAULT_ADDR holds a name or a password";
        return Err(Error::new(Kind::Usage, what).hint(hint));
    }
    let loopback = url.host_str().is_some_and(http::is_loopback);
    match url.scheme() {
        "https" => Ok(text),
        "http" if loopback => Ok(text),
        _ => Err(Error::new(Kind::Usage, format!("VAULT_ADDR {text} is not encrypted")).hint(hint)),
    }
}

fn mount_of_approle() -> String {
    std::env::var("VAULT_APPROLE_MOUNT").unwrap_or_else(|_| "approle".to_owned())
}

fn client(address: &str, login: &Login) -> Result<VaultClient> {
    http::choose_ring();
    let mut settings = VaultClientSettingsBuilder::default();
    settings
        .address(address)
        .timeout(Some(PATIENCE))
        .verify(true)
        .identity(None)
        .token(match login {
            Login::Token(token) => token.trim(),
            Login::AppRole { .. } => "",
        });
    if let Ok(namespace) = std::env::var("VAULT_NAMESPACE") {
        settings.set_namespace(namespace);
    }
    let file = std::env::var("VAULT_CACERT").ok();
    settings.ca_certs(file.into_iter().collect());
    let bad = |why: String| {
        Error::new(Kind::Usage, "cannot set up the connection to Vault")
            .because(why)
            .hint("VAULT_CACERT must name a file with PEM certificates")
    };
    let settings = settings.build().map_err(|_| bad("its settings".into()))?;
    VaultClient::new(settings).map_err(|e| bad(e.to_string()))
}

impl Login {
    fn find() -> Result<Self> {
        if let Some(token) = secret("vault-token", "VAULT_TOKEN") {
            return Ok(Self::Token(token));
        }
        let role = std::env::var("VAULT_ROLE_ID").ok();
        match (role, secret("vault-secret-id", "VAULT_SECRET_ID")) {
            (Some(role), Some(secret)) => Ok(Self::AppRole { role, secret }),
            _ => Err(Error::new(
                Kind::Usage,
                "there is nothing to log in to Vault with",
            )
            .hint("give the service the systemd credential vault-token, or VAULT_ROLE_ID and the systemd credential vault-secret-id; for a try by hand, VAULT_TOKEN or VAULT_SECRET_ID in the environment")),
        }
    }
}

/// A secret handed to the service, or else in the environment.
fn secret(credential: &str, variable: &str) -> Option<Zeroizing<String>> {
    let handed = systemd::handed(credential).ok().flatten();
    let text = handed.or_else(|| std::env::var(variable).ok().map(Zeroizing::new))?;
    let text = Zeroizing::new(text.trim().to_owned());
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = Place::parse("secret/offsite/www").unwrap();
        assert_eq!(
            (place.mount.as_str(), place.path.as_str()),
            ("secret", "offsite/www")
        );
        for bad in [
            "", "secret", "secret/", "/x", "a//b", "a/../b", "a/b?c", "a/b#", "a/b c",
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    /// Each in words, with the way out; nothing of what the server said.
    #[test]
    fn answers_in_words() {
        let place = Place::parse("secret/offsite").unwrap();
        let said = |code| ClientError::APIError {
            code,
            errors: vec!["hunter2".into()],
        };
        for (error, what, way_out) in [
            (
                place.failed("https://v", &said(403)),
                "denies secret/offsite",
                "secret/data/offsite",
            ),
            (
                place.failed("https://v", &said(403)),
                "lease has ended",
                "vault token create",
            ),
            (
                place.failed("https://v", &said(404)),
                "nothing at secret/offsite",
                "vault kv put",
            ),
            (place.failed("https://v", &said(503)), "sealed", "unseal"),
            (
                place.failed("https://v", &said(500)),
                "answered 500",
                "VAULT_ADDR",
            ),
            (
                place.failed("https://v", &ClientError::ResponseDataEmptyError),
                "does not hold a key",
                "fields",
            ),
            (
                login_failed("https://v", &said(400)),
                "AppRole",
                "secret-id",
            ),
            (login_failed("https://v", &said(503)), "sealed", "unseal"),
        ] {
            assert!(error.to_string().contains(what), "{error}");
            let hint = error.way_out().unwrap();
            assert!(hint.contains(way_out), "{hint}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
