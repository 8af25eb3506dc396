//! `[notify]`: who is told how each run went, and where.

use super::address::{Wrong, host_of};
use super::parse_duration;
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// `[notify]`. Everything in it is optional; without any of it nobody is told.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    /// The ping address of a check, as healthchecks.io and its self-hosted form have it.
    pub healthcheck: Option<SecretUrl>,
    /// Where the whole message is posted as JSON.
    pub webhook: Option<WebhookConfig>,
    /// A topic of ntfy.
    pub ntfy: Option<NtfyConfig>,
    /// A program and its arguments; it finds the JSON on its standard input. Empty: none.
    pub command: Vec<String>,
    /// How long one attempt to tell somebody may take. All attempts together take at most three
    /// times as long.
    pub timeout: Duration,
}

impl NotifyConfig {
    /// The variables of the environment that secrets stand in: for no program of the owner's.
    pub fn variables(&self) -> Vec<String> {
        let secret = self.webhook.iter().filter_map(|w| w.secret.as_ref());
        let token = self.ntfy.iter().filter_map(|n| n.token.as_ref());
        let names = secret.chain(token).filter_map(|place| match place {
            SecretPlace::Environment(name) => Some(name.clone()),
            SecretPlace::Systemd(_) => None,
        });
        names.collect()
    }
}

/// `[notify.webhook]`.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where to post.
    pub url: SecretUrl,
    /// Where the secret lies that messages are signed with.
    pub secret: Option<SecretPlace>,
}

/// `[notify.ntfy]`.
#[derive(Clone, Debug)]
pub struct NtfyConfig {
    /// The topic's address.
    pub url: SecretUrl,
    /// Where the access token lies.
    pub token: Option<SecretPlace>,
}

/// An address that is itself a secret: whoever knows it can speak in our name. `Debug` and
/// `Display` name its host only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    url: String,
    host: String,
}

impl SecretUrl {
    /// The whole address, to send to and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.url
    }

    /// The host, for errors and logs.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({})", self.host)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// Where a secret lies; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// `env:NAME`: a variable of the environment.
    Environment(String),
    /// `systemd:NAME`: a credential that systemd hands to the service.
    Systemd(String),
}

/// The default of `[notify] timeout`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest `[notify] timeout`: a run's end must not wait for long.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotify {
    healthcheck: Option<String>,
    webhook: Option<RawWebhook>,
    ntfy: Option<RawNtfy>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    allow_http: bool,
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    url: String,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNtfy {
    url: String,
    token: Option<String>,
}

impl RawNotify {
    pub(super) fn check(self) -> Result<NotifyConfig> {
        let url = |name: &str, url: String| check_url(name, url, self.allow_http);
        let healthcheck = self.healthcheck.map(|text| url("healthcheck", text));
        let webhook = self.webhook.map(|raw| {
            Ok::<_, Error>(WebhookConfig {
                url: url("webhook.url", raw.url)?,
                secret: place("webhook.secret", raw.secret)?,
            })
        });
        let ntfy = self.ntfy.map(|raw| {
            Ok::<_, Error>(NtfyConfig {
                url: url("ntfy.url", raw.url)?,
                token: place("ntfy.token", raw.token)?,
            })
        });
        if self.command.first().is_some_and(String::is_empty) {
            let what = "[notify] command names no program";
            return Err(Error::new(Kind::Usage, what)
                .hint("write command = [\"/usr/local/bin/offsite-mail\"]: the program, then its arguments"));
        }
        Ok(NotifyConfig {
            healthcheck: healthcheck.transpose()?,
            webhook: webhook.transpose()?,
            ntfy: ntfy.transpose()?,
            command: self.command,
            timeout: check_timeout(self.timeout.as_deref())?,
        })
    }
}

fn check_timeout(text: Option<&str>) -> Result<Duration> {
    let timeout = text.map_or(Ok(TIMEOUT), parse_duration)?;
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        let what = "[notify] timeout is not between nothing and a minute";
        return Err(Error::new(Kind::Usage, what).hint("write seconds, such as \"10s\""));
    }
    Ok(timeout)
}

/// The address, never quoted in an error.
fn check_url(name: &str, url: String, allow_http: bool) -> Result<SecretUrl> {
    let whole = "write it whole, such as https://hc-ping.com/your-uuid";
    let host = host_of(&url, allow_http).map(str::to_owned);
    // What a URL cannot hold is most often a part of the line that it was copied from.
    let plain = url.bytes().all(|b| b.is_ascii_graphic());
    let (what, way_out) = match host {
        Ok(host) if plain => return Ok(SecretUrl { url, host }),
        Ok(_) | Err(Wrong::NoUrl) => ("is not a URL", whole),
        Err(Wrong::NoHost) => ("names no host", whole),
        Err(Wrong::Password) => (
            "holds a name or a password",
            "write it without; a token for ntfy goes into token = \"env:NAME\" or \"systemd:NAME\"",
        ),
        Err(Wrong::Plain) => (
            "is not encrypted",
            "use https://, or write allow_http = true into [notify] if the network between is yours",
        ),
    };
    Err(Error::new(Kind::Usage, format!("[notify] {name} {what}")).hint(way_out))
}

/// Where a secret lies. What stands there may be the secret itself: it is never quoted.
fn place(name: &str, text: Option<String>) -> Result<Option<SecretPlace>> {
    let Some(text) = text else { return Ok(None) };
    let variable = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let file = |b: u8| variable(b) || b == b'-' || b == b'.';
    match text.split_once(':') {
        Some(("env", rest)) if !rest.is_empty() && rest.bytes().all(variable) => {
            Ok(Some(SecretPlace::Environment(rest.to_owned())))
        }
        Some(("systemd", rest))
            if !rest.is_empty() && !rest.starts_with('.') && rest.bytes().all(file) =>
        {
            Ok(Some(SecretPlace::Systemd(rest.to_owned())))
        }
        _ => {
            let what = format!("[notify] {name} names no place to take the secret from");
            Err(Error::new(Kind::Usage, what)
                .hint("write \"env:NAME\" or \"systemd:NAME\"; never the secret itself"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<NotifyConfig> {
        toml::from_str::<RawNotify>(text).unwrap().check()
    }

    #[test]
    fn nobody_is_told_by_default() {
        let config = check("").unwrap();
        assert!(config.healthcheck.is_none() && config.webhook.is_none());
        assert!(config.ntfy.is_none() && config.command.is_empty());
        assert_eq!(config.timeout, Duration::from_secs(10));
    }

    #[test]
    fn everything_at_once() {
        let config = check(
            "healthcheck = \"https://hc-ping.com/uuid\"\n\
             command = [\"mail\", \"me\"]\n\
             allow_http = true\n\
             timeout = \"250ms\"\n\
             [webhook]\nurl = \"https://example.org:8443/hook?x=y\"\nsecret = \"systemd:hook.key\"\n\
             [ntfy]\nurl = \"http://ntfy.lan/topic\"\ntoken = \"env:NTFY_TOKEN\"\n",
        )
        .unwrap();
        assert_eq!(config.healthcheck.unwrap().host(), "hc-ping.com");
        let webhook = config.webhook.unwrap();
        assert_eq!(webhook.url.reveal(), "https://example.org:8443/hook?x=y");
        assert_eq!(
            webhook.secret,
            Some(SecretPlace::Systemd("hook.key".into()))
        );
        let ntfy = config.ntfy.unwrap();
        assert_eq!(ntfy.url.to_string(), "ntfy.lan");
        assert_eq!(
            ntfy.token,
            Some(SecretPlace::Environment("NTFY_TOKEN".into()))
        );
        assert_eq!(config.command, ["mail", "me"]);
        assert_eq!(config.timeout, Duration::from_millis(250));
    }

    /// Each names the setting and says the way out; none quotes what stands there.
    #[test]
    fn wrong_settings_are_named_and_never_quoted() {
        for (text, words) in [
            ("healthcheck = \"hunter2\"", "healthcheck is not a URL"),
            (
                "healthcheck = \"http://hc.example/hunter2\"",
                "healthcheck is not encrypted",
            ),
            (
                "healthcheck = \"https://hc.example/hunter2 \"",
                "healthcheck is not a URL",
            ),
            (
                "healthcheck = \"https:///hunter2\"",
                "healthcheck names no host",
            ),
            (
                "[webhook]\nurl = \"https://me:hunter2@x.example/\"",
                "webhook.url holds a name",
            ),
            (
                "[webhook]\nurl = \"https://x.example/\"\nsecret = \"hunter2\"",
                "webhook.secret names no place",
            ),
            (
                "[webhook]\nurl = \"https://x.example/\"\nsecret = \"env:\"",
                "webhook.secret names no place",
            ),
            (
                "[webhook]\nurl = \"https://x.example/\"\nsecret = \"systemd:../hunter2\"",
                "webhook.secret names no place",
            ),
            (
                "[ntfy]\nurl = \"https://x.example/t\"\ntoken = \"profile:hunter2\"",
                "ntfy.token names no place",
            ),
            (
                "[ntfy]\nurl = \"ftp://x.example/hunter2\"",
                "ntfy.url is not a URL",
            ),
            ("command = [\"\", \"hunter2\"]", "command names no program"),
            ("timeout = \"2m\"", "timeout"),
            ("timeout = \"0s\"", "timeout"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.to_string().contains(words), "{error} lacks {words:?}");
            assert!(error.way_out().is_some(), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert_eq!(error.kind(), Kind::Usage);
        }
    }

    #[test]
    fn http_is_for_loopback_or_by_permission() {
        assert!(check("healthcheck = \"http://127.0.0.1:8000/ping/x\"").is_ok());
        assert!(check("healthcheck = \"http://[::1]:8000/ping/x\"").is_ok());
        assert!(check("healthcheck = \"http://nas.lan/ping/x\"").is_err());
        assert!(check("allow_http = true\nhealthcheck = \"http://nas.lan/ping/x\"").is_ok());
    }

    #[test]
    fn an_address_is_not_debugged() {
        let config = check("healthcheck = \"https://hc-ping.com/hunter2\"").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }
}
