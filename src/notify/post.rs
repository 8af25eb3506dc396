//! One message to one server: a few attempts, each and all of them bounded in time.
//!
//! Nothing here puts an address into an error or a log: the caller names the host.

use crate::error::{Error, Kind, Result};
use crate::http;
use crate::object::printable;
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use std::time::{Duration, Instant};

/// So often a message is sent at most.
pub(super) const ATTEMPTS: u32 = 3;
/// So much of an answer is read at most, in bytes.
const ANSWER: usize = 1024;

/// A message on its way.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Whether a healthcheck is asked: those answer 200 to addresses that they do not know, and
    /// say so in the body only.
    pub(super) healthcheck: bool,
}

/// A client that follows no redirects: the address that the owner wrote is the one that is told.
pub(super) fn client() -> Result<Client> {
    http::choose_ring();
    Client::builder()
        .redirect(redirect::Policy::none())
        // HTTP/2 brings nothing to single messages, and its library logs more.
        .http1_only()
        .user_agent(concat!("offsite/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| {
            Error::new(Kind::Run, "cannot set up connections")
                .because(cause(&e.without_url()))
                .hint("are the system's root certificates installed (ca-certificates)?")
        })
}

/// Why an attempt failed.
struct Refusal {
    error: Error,
    /// Whether it may go better the next time.
    again: bool,
}

impl Post {
    /// Sends it, again after a moment where that may help. `timeout` bounds one attempt; all
    /// together take at most [`ATTEMPTS`] times as long, from `begin`.
    pub(super) async fn deliver(
        self,
        client: Client,
        timeout: Duration,
        begin: Instant,
    ) -> Result<()> {
        let whole = timeout * ATTEMPTS;
        let mut last = no_answer(whole);
        for attempt in 0..ATTEMPTS {
            // A second, then two, of the default's ten.
            tokio::time::sleep(timeout / 10 * attempt).await;
            let left = whole.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            match self.attempt(&client, timeout.min(left)).await {
                Ok(()) => return Ok(()),
                Err(refusal) => {
                    last = refusal.error;
                    if !refusal.again {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    async fn attempt(&self, client: &Client, timeout: Duration) -> Result<(), Refusal> {
        let request = client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .body(self.body.clone())
            .timeout(timeout);
        let answer = request.send().await.map_err(|e| broken(e, timeout))?;
        judge(answer.status())?;
        if self.healthcheck {
            known(&beginning(answer).await)?;
        }
        Ok(())
    }
}

/// What an answer's status means.
fn judge(status: StatusCode) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let what = format!("it redirects ({}), which is not followed", status.as_u16());
        let error = Error::new(Kind::Run, what)
            .hint("write the address that it leads to into [notify]: `curl -sI` on yours shows it");
        return Err(Refusal {
            error,
            again: false,
        });
    }
    let busy = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    let error = Error::new(Kind::Run, format!("it answered {status}"));
    Err(Refusal {
        error: match status.as_u16() {
            401 | 403 => error.hint("is the token or the secret the right one?"),
            404 | 410 => error.hint("is the address in [notify] still the right one?"),
            _ => error,
        },
        again: status.is_server_error() || busy.contains(&status),
    })
}

/// healthchecks.io answers 200 also to an address that it does not know or does not count now
/// (Pinging API: "OK (not found)", "OK (rate limited)").
fn known(answer: &str) -> Result<(), Refusal> {
    for (words, what, way_out) in [
        (
            "(not found)",
            "it knows no check with this address",
            "copy the ping address of the check again",
        ),
        (
            "(rate limited)",
            "it was told too often and did not listen",
            "give each thing that pings a check of its own",
        ),
    ] {
        if answer.contains(words) {
            let error = Error::new(Kind::Run, what).hint(way_out);
            return Err(Refusal {
                error,
                again: false,
            });
        }
    }
    Ok(())
}

/// The beginning of an answer. One that breaks off has told what it will.
async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn no_answer(timeout: Duration) -> Error {
    let what = format!("no answer within {:.1} s", timeout.as_secs_f64());
    Error::new(Kind::Run, what).hint("does the network work from here, and the server?")
}

/// Why no answer came, without the address.
fn broken(error: reqwest::Error, timeout: Duration) -> Refusal {
    let error = error.without_url();
    let roots = "this system's (`update-ca-certificates`)";
    if let Some((why, way_out)) = http::certificate_trouble(&error, roots) {
        let error = Error::new(Kind::Run, "it cannot be trusted").because(why);
        return Refusal {
            error: error.hint(way_out),
            again: false,
        };
    }
    let what = match () {
        () if error.is_timeout() => {
            let error = no_answer(timeout);
            return Refusal { error, again: true };
        }
        () if error.is_connect() => "cannot connect",
        () => "the connection broke off",
    };
    Refusal {
        error: Error::new(Kind::Run, what)
            .because(cause(&error))
            .hint("does the network work from here, and the server?"),
        again: true,
    }
}

/// The innermost reason: what lies around it only says "error sending request".
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    printable(&inner.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_again() {
        for (status, again) in [
            (301, false),
            (307, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let refusal = judge(StatusCode::from_u16(status).unwrap()).unwrap_err();
            assert_eq!(refusal.again, again, "{status}");
            assert!(refusal.error.to_string().contains(&status.to_string()));
        }
        assert!(judge(StatusCode::NO_CONTENT).is_ok());
    }

    #[test]
    fn a_healthcheck_that_did_not_listen() {
        assert!(known("OK").is_ok());
        assert!(known("OK (not found)").is_err());
        assert!(known("OK (rate limited)").is_err());
    }
}
