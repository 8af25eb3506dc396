//! Being told: after every run the owner hears how it went, from a healthcheck, a webhook, ntfy, or
//! a program of their own.
//!
//! Telling is beside the work: it never fails a run, never changes its exit code, and takes at most
//! three times `[notify] timeout`, after the store is closed. What could not be told is a warning
//! in words. Addresses, tokens and keys are in no error and no log: of an address only its host.

mod message;
mod post;
mod program;
mod signal;

pub use message::{Course, Message, SourceLine, Turn};
pub use signal::{Signal, Went};

use crate::config::{NotifyConfig, NtfyConfig, SecretPlace, SecretUrl, WebhookConfig};
use crate::credentials;
use crate::error::{Error, Kind, Result};
use crate::watch::Health;
use data_encoding::HEXLOWER;
use post::{ATTEMPTS, Post};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use ring::hmac;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The header that a webhook's signature stands in: `sha256=` and the HMAC-SHA256 of the body in
/// lower-case hex.
pub const SIGNATURE: &str = "x-offsite-signature";

/// ntfy makes an attachment of a longer text (ntfy, "Publishing", message size: 4,096 bytes).
const NTFY_TEXT: usize = 4000;
/// A self-hosted Healthchecks keeps 10 kB of a ping's body by default (`PING_BODY_LIMIT`).
const HEALTHCHECK_TEXT: usize = 10_000;

/// Tells everybody whom `[notify]` names.
pub struct Notifier<'c> {
    config: &'c NotifyConfig,
    runtime: Handle,
    started: Option<JoinHandle<()>>,
}

/// What became of one message to one of those who are told.
#[derive(Debug)]
pub struct Told {
    /// Whom: `webhook at example.org`.
    pub whom: String,
    /// Whether it was taken, or why not.
    pub taken: Result<()>,
}

/// What a healthcheck is told.
#[derive(Clone, Copy)]
enum Ping {
    Start,
    End(Signal),
    /// Noted by the server and without effect on the check.
    Log,
}

impl<'c> Notifier<'c> {
    /// Nothing is sent yet.
    pub fn new(config: &'c NotifyConfig, runtime: &Handle) -> Self {
        Self {
            config,
            runtime: runtime.clone(),
            started: None,
        }
    }

    /// Whether anybody is to be told.
    pub fn has_somebody(&self) -> bool {
        let config = self.config;
        let server = config.healthcheck.is_some() || config.webhook.is_some();
        server || config.ntfy.is_some() || !config.command.is_empty()
    }

    /// Tells the healthcheck that a run begins, in the background: the run does not wait for it.
    pub fn start(&mut self) {
        let Some(url) = &self.config.healthcheck else {
            return;
        };
        let host = url.host().to_owned();
        let post = ping(url, Ping::Start, String::new());
        let timeout = self.config.timeout;
        self.started = Some(self.runtime.spawn(async move {
            let told = match (post, post::client()) {
                (Ok(post), Ok(client)) => post.deliver(client, timeout, Instant::now()).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            // The end of the run is told too, and a failure is reported then.
            if let Err(error) = told {
                log::warn!("the healthcheck at {host} was not told of the start: {error}");
            }
        }));
    }

    /// Tells everybody how it went, side by side, and waits for their answers. Called by no task of
    /// the runtime.
    pub fn end(mut self, message: &Message) -> Vec<Told> {
        let ping = match message.event {
            "test" => Ping::Log,
            _ => Ping::End(message.signal),
        };
        let client = post::client();
        let mut waiting = Vec::new();
        for (whom, post) in self.posts(message, ping) {
            let first = self.started.take_if(|_| is_ping(&post));
            waiting.push((whom, self.send(post, &client, first)));
        }
        waiting.extend(self.command(message));
        let told = waiting.into_iter().map(|(whom, task)| {
            let ended = self.runtime.block_on(task);
            let taken = ended.unwrap_or_else(|e| {
                Err(Error::new(Kind::Run, "the telling ended by itself").because(e))
            });
            Told { whom, taken }
        });
        told.collect()
    }

    /// Sends `post` once `first` has ended: a start that arrives after the end would begin a run
    /// that never ends.
    fn send(
        &self,
        post: Result<Post>,
        client: &Result<Client>,
        first: Option<JoinHandle<()>>,
    ) -> JoinHandle<Result<()>> {
        let timeout = self.config.timeout;
        let client = match client {
            Ok(client) => Ok(client.clone()),
            // Each of them says why.
            Err(error) => Err(Error::new(error.kind(), error.to_string())),
        };
        self.runtime.spawn(async move {
            let begin = Instant::now();
            if let Some(mut first) = first
                && tokio::time::timeout(timeout, &mut first).await.is_err()
            {
                first.abort();
            }
            post?.deliver(client?, timeout, begin).await
        })
    }

    /// What goes to servers.
    fn posts(&self, message: &Message, of: Ping) -> Vec<(String, Result<Post>)> {
        let mut posts = Vec::new();
        if let Some(url) = &self.config.healthcheck {
            let text = message.text_within(HEALTHCHECK_TEXT);
            posts.push((format!("healthcheck at {url}"), ping(url, of, text)));
        }
        if let Some(config) = &self.config.webhook {
            let whom = format!("webhook at {}", config.url);
            posts.push((whom, webhook(config, message.json())));
        }
        if let Some(config) = &self.config.ntfy {
            posts.push((format!("ntfy at {}", config.url), ntfy(config, message)));
        }
        posts
    }

    fn command(&self, message: &Message) -> Option<(String, JoinHandle<Result<()>>)> {
        let command = self.config.command.clone();
        if command.is_empty() {
            return None;
        }
        let whom = format!("command {}", program::name(&command));
        let (json, patience) = (message.json(), self.config.timeout * ATTEMPTS);
        let hidden = self.config.variables();
        let run = move || program::run(&command, &hidden, &json, patience);
        Some((whom, self.runtime.spawn_blocking(run)))
    }
}

fn is_ping(post: &Result<Post>) -> bool {
    post.as_ref().is_ok_and(|post| post.healthcheck)
}

fn ping(url: &SecretUrl, of: Ping, text: String) -> Result<Post> {
    let mut url = parse(url)?;
    let word = match of {
        Ping::Start => Some("start"),
        Ping::End(Signal::Fail) => Some("fail"),
        Ping::End(Signal::Success) => None,
        Ping::Log => Some("log"),
    };
    if let (Some(word), Ok(mut path)) = (word, url.path_segments_mut()) {
        path.pop_if_empty().push(word);
    }
    Ok(Post {
        url,
        headers: content("text/plain; charset=utf-8"),
        body: text,
        healthcheck: true,
    })
}

fn webhook(config: &WebhookConfig, body: String) -> Result<Post> {
    let mut headers = content("application/json");
    if let Some(place) = &config.secret {
        let secret = read(place)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref());
        let value = header(&format!("sha256={tag}"), "the signature")?;
        headers.insert(HeaderName::from_static(SIGNATURE), value);
    }
    Ok(Post {
        url: parse(&config.url)?,
        headers,
        body,
        healthcheck: false,
    })
}

fn ntfy(config: &NtfyConfig, message: &Message) -> Result<Post> {
    let mut headers = content("text/plain; charset=utf-8");
    // ntfy's priorities: 1 makes no sound, 3 is the usual one, 5 rings through.
    let (priority, tag) = match message.verdict {
        Health::Ok => ("1", "white_check_mark"),
        Health::Warning => ("3", "warning"),
        Health::Error => ("4", "x"),
        Health::Alarm => ("5", "rotating_light"),
    };
    let title = header(&message.title, "the title")?;
    headers.insert(HeaderName::from_static("title"), title);
    headers.insert(
        HeaderName::from_static("priority"),
        HeaderValue::from_static(priority),
    );
    headers.insert(
        HeaderName::from_static("tags"),
        HeaderValue::from_static(tag),
    );
    if let Some(place) = &config.token {
        let token = read(place)?;
        let mut value = header(&format!("Bearer {}", token.as_str()), "the token")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(Post {
        url: parse(&config.url)?,
        headers,
        body: message.text_within(NTFY_TEXT),
        healthcheck: false,
    })
}

fn content(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

/// A header's value; `name` is what it is, for the error.
fn header(value: &str, name: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(|_| {
        let what = format!("{name} holds characters that cannot be sent");
        Error::new(Kind::Usage, what).hint("is it one line of plain characters?")
    })
}

fn parse(url: &SecretUrl) -> Result<Url> {
    Url::parse(url.reveal()).map_err(|_| {
        Error::new(Kind::Usage, "its address in [notify] is not a URL")
            .hint("write it whole, such as https://hc-ping.com/your-uuid")
    })
}

fn read(place: &SecretPlace) -> Result<credentials::Text> {
    match place {
        SecretPlace::Environment(name) => credentials::variable(name),
        SecretPlace::Systemd(name) => credentials::handed_by_systemd(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::object::from_ms;

    fn config(notify: &str) -> NotifyConfig {
        let text = format!(
            "[store]\npath = \"/x\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nregion = \"r\"\n[notify]\n{notify}"
        );
        Config::parse(&text).unwrap().notify
    }

    #[test]
    fn pings_go_below_the_address() {
        for (address, of, asked) in [
            (
                "https://h.example/uuid",
                Ping::Start,
                "https://h.example/uuid/start",
            ),
            (
                "https://h.example/uuid",
                Ping::End(Signal::Fail),
                "https://h.example/uuid/fail",
            ),
            (
                "https://h.example/uuid",
                Ping::End(Signal::Success),
                "https://h.example/uuid",
            ),
            (
                "https://h.example/ping/uuid/",
                Ping::End(Signal::Fail),
                "https://h.example/ping/uuid/fail",
            ),
            (
                "https://h.example/key/slug?create=1",
                Ping::Log,
                "https://h.example/key/slug/log?create=1",
            ),
        ] {
            let config = config(&format!("healthcheck = \"{address}\""));
            let post = ping(&config.healthcheck.unwrap(), of, String::new()).unwrap();
            assert_eq!(post.url.as_str(), asked);
        }
    }

    #[test]
    fn priorities_rise_with_the_verdict() {
        let config = config("[notify.ntfy]\nurl = \"https://ntfy.example/topic\"")
            .ntfy
            .unwrap();
        let mut last = String::new();
        for verdict in [Health::Ok, Health::Warning, Health::Error, Health::Alarm] {
            let mut message = Message::test(from_ms(0));
            message.verdict = verdict;
            let post = ntfy(&config, &message).unwrap();
            let priority = post.headers["priority"].to_str().unwrap().to_owned();
            assert!(priority > last, "{verdict:?}");
            last = priority;
        }
    }

    /// RFC 4231, test case 2, in the form of the header.
    #[test]
    fn the_signature_is_the_standards_own() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        assert_eq!(
            HEXLOWER.encode(tag.as_ref()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
