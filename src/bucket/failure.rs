//! What a request's failure means, in words: what to name, and the way out.

use super::client::Bucket;
use crate::error::{Error, Kind};
use crate::http;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error as StdError;

/// Why a request brought nothing.
#[derive(Debug)]
pub enum Failure {
    /// The answer broke off or came wrong: it is worth another try at once.
    Broken(Error),
    /// The network or a busy server, after the client itself tried again as often as it may: it
    /// may work in the next run.
    Passing(Error),
    /// The object is not there (any more).
    Gone,
    /// The object is not the one that was listed (any more).
    Changed,
    /// The object lies in an archive tier.
    Archived,
    /// The object cannot be read with our key.
    Unreadable(Error),
    /// No request of this kind will work: the bucket, the key, the clock or the settings.
    Fatal(Error),
}

impl Failure {
    /// The failure as an error about `subject`, for those who can do nothing else with it.
    pub fn into_error(self, subject: &str) -> Error {
        match self {
            Self::Broken(e) | Self::Passing(e) | Self::Unreadable(e) | Self::Fatal(e) => e,
            Self::Gone => Error::new(
                Kind::Run,
                format!("{subject} is not in the bucket any more"),
            ),
            Self::Changed => Error::new(
                Kind::Run,
                format!("{subject} changed while it was being fetched"),
            ),
            Self::Archived => Error::new(Kind::Run, format!("{subject} lies in an archive tier")),
        }
    }
}

/// Which right a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    ListBucket,
    ListVersions,
    GetObject,
    GetVersion,
}

impl Needs {
    /// Whether it is about one object.
    fn of_object(self) -> bool {
        matches!(self, Self::GetObject | Self::GetVersion)
    }

    fn action(self) -> &'static str {
        match self {
            Self::ListBucket => "s3:ListBucket",
            Self::ListVersions => "s3:ListBucketVersions",
            Self::GetObject => "s3:GetObject",
            Self::GetVersion => "s3:GetObjectVersion",
        }
    }

    /// The policy statement that grants it (IAM reference, "Actions, resources, and condition
    /// keys for Amazon S3").
    fn policy(self, bucket: &str) -> String {
        let resource = match self.of_object() {
            false => format!("arn:aws:s3:::{bucket}"),
            true => format!("arn:aws:s3:::{bucket}/*"),
        };
        format!(
            r#"{{"Effect": "Allow", "Action": "{}", "Resource": "{resource}"}}"#,
            self.action()
        )
    }
}

/// The facts of a failed request that its meaning depends on.
struct Answered {
    status: u16,
    code: String,
    message: String,
    date: Option<String>,
    region: Option<String>,
}

impl Bucket {
    /// What `error` means for a request that needed `needs`.
    pub(super) fn failure<E>(&self, needs: Needs, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        log::debug!("request failed: {}", causes(&error));
        match &error {
            SdkError::ServiceError(service) => {
                let raw = service.raw();
                let header = |name: &str| raw.headers().get(name).map(str::to_owned);
                self.meaning(
                    needs,
                    &Answered {
                        status: raw.status().as_u16(),
                        code: service.err().code().unwrap_or_default().to_owned(),
                        message: service.err().message().unwrap_or_default().to_owned(),
                        date: header("date"),
                        region: header("x-amz-bucket-region"),
                    },
                )
            }
            SdkError::ConstructionFailure(_) => Failure::Fatal(
                Error::new(
                    Kind::Usage,
                    format!("cannot build a request for bucket {}", self.name),
                )
                .because(causes(&error))
                .hint("check bucket, endpoint, region and credentials in the configuration"),
            ),
            SdkError::ResponseError(_) => Failure::Passing(
                Error::new(
                    Kind::Run,
                    format!("{} answered as no S3 server would", self.endpoint),
                )
                .because(causes(&error))
                .hint("is `endpoint` the S3 endpoint, and not a web page or a console?"),
            ),
            other
                if let Some((why, way_out)) =
                    http::certificate_trouble(other, "the file of `ca_file`") =>
            {
                Failure::Fatal(
                    Error::new(Kind::Run, format!("cannot trust {}", self.endpoint))
                        .because(why)
                        .hint(way_out),
                )
            }
            _ => Failure::Passing(
                Error::new(Kind::Run, format!("cannot reach {}", self.endpoint))
                    .because(without_layers(&causes(&error)))
                    .hint("is `endpoint` right, and does the network work from here?"),
            ),
        }
    }

    /// The table of S3 error codes (S3 API reference, "Error responses"), with the status alone
    /// where an answer has no body, as to a HEAD.
    fn meaning(&self, needs: Needs, answer: &Answered) -> Failure {
        let bucket = &self.name;
        let usage = |what: String, hint: String| {
            let said = format!("{} {} {}", answer.status, answer.code, answer.message);
            Failure::Fatal(
                Error::new(Kind::Usage, what)
                    .because(format!("the server said {}", said.trim()))
                    .hint(hint),
            )
        };
        match (answer.status, code_of(answer)) {
            (_, "NoSuchBucket") => usage(
                format!("there is no bucket {bucket} at {}", self.endpoint),
                "check `bucket`, `endpoint` and `region`; a bucket lives in one region only".into(),
            ),
            (_, "InvalidAccessKeyId") => usage(
                format!("{} does not know this access key", self.endpoint),
                "was the key revoked, or made for another provider or project?".into(),
            ),
            (_, "SignatureDoesNotMatch") => usage(
                "the secret key is wrong".into(),
                "the id is known, the secret that belongs to it is another: copy it again, or make a new key".into(),
            ),
            (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => usage(
                "the session token that belongs to the key is not good, or no longer".into(),
                "keys of a role or of SSO are good for hours: sign in again (`aws sso login`), or leave AWS_SESSION_TOKEN out with a key that lasts".into(),
            ),
            (_, "RequestTimeTooSkewed" | "RequestExpired") => self.clock(answer),
            (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            | (301 | 307, _) => {
                let right = answer.region.clone().or_else(|| expected_region(&answer.message));
                let hint = match right {
                    Some(region) => format!("the bucket is in {region}: write region = {region:?}"),
                    None => "write the region that the bucket was made in".into(),
                };
                usage(format!("bucket {bucket} is not in this region"), hint)
            }
            (_, "InvalidObjectState") => Failure::Archived,
            (412, _) => Failure::Changed,
            (404, _) if needs.of_object() => Failure::Gone,
            (429 | 500 | 502 | 503 | 504, _) | (_, "SlowDown" | "RequestTimeout") => Failure::Passing(
                Error::new(Kind::Run, format!("{} is busy or failing", self.endpoint))
                    .because(format!("it said {} {}", answer.status, answer.code))
                    .hint("the next run goes on where this one stopped"),
            ),
            (401 | 403, _) => self.denied(needs, answer),
            // A body encrypted with a key that only the writer has (SSE-C) answers 400.
            (400, "InvalidRequest" | "") if needs.of_object() => Failure::Unreadable(
                Error::new(Kind::Run, "the server will not hand the object out")
                    .because(format!("it said {} {}", answer.code, answer.message))
                    .hint("objects stored with SSE-C can be read only with the writer's own key"),
            ),
            // It answered, and the answer does not parse.
            (200..=299, _) => usage(
                format!("{} answered as no S3 server would", self.endpoint),
                "is `endpoint` the S3 endpoint, and not a web page or a console?".into(),
            ),
            _ => usage(
                format!("{} refused the request", self.endpoint),
                "is `endpoint` the S3 endpoint, and not a web page or a console?".into(),
            ),
        }
    }

    /// The key may list and may read nothing: what every single object answered.
    pub fn not_allowed_to_read(&self) -> Error {
        let needs = Needs::GetObject;
        Error::new(
            Kind::Usage,
            format!(
                "this key may not do {} on bucket {}: every object was refused",
                needs.action(),
                self.name
            ),
        )
        .hint(format!(
            "grant it with the policy line {}",
            needs.policy(&self.name)
        ))
    }

    fn denied(&self, needs: Needs, answer: &Answered) -> Failure {
        let (bucket, action) = (&self.name, needs.action());
        let said = format!("the server said {} {}", answer.status, answer.code);
        if answer.message.contains("kms:") || answer.code.starts_with("KMS.") {
            return Failure::Unreadable(
                Error::new(
                    Kind::Run,
                    format!("the key may not decrypt objects of bucket {bucket}"),
                )
                .because(said)
                .hint("objects stored with SSE-KMS need kms:Decrypt on their KMS key as well"),
            );
        }
        let error = Error::new(
            Kind::Usage,
            format!("this key may not do {action} on bucket {bucket}"),
        )
        .because(said)
        .hint(format!(
            "grant it with the policy line {}",
            needs.policy(bucket)
        ));
        match needs.of_object() {
            false => Failure::Fatal(error),
            true => Failure::Unreadable(error),
        }
    }

    /// Signed requests are good for 15 minutes around the server's time (S3 API reference,
    /// "Authenticating requests").
    fn clock(&self, answer: &Answered) -> Failure {
        let theirs = answer
            .date
            .as_deref()
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.timestamp());
        let off = match theirs {
            Some(theirs) => {
                let minutes = (jiff::Timestamp::now().as_second() - theirs.as_second()) / 60;
                match minutes {
                    1.. => format!("it is {minutes} minutes ahead of the server's"),
                    _ => format!("it is {} minutes behind the server's", -minutes),
                }
            }
            None => "it is more than 15 minutes off the server's".to_owned(),
        };
        Failure::Fatal(
            Error::new(Kind::Run, format!("this computer's clock is wrong: {off}"))
                .because(format!("the server said {} {}", answer.status, answer.code))
                .hint("set it: `timedatectl set-ntp true`; a Raspberry Pi has no clock of its own and needs the network for it"),
        )
    }
}

/// Garage says AccessDenied where S3 has codes of their own, and the reason in its text alone.
fn code_of(answer: &Answered) -> &str {
    match answer.code.as_str() {
        "AccessDenied" if answer.message.contains("No such key: ") => "InvalidAccessKeyId",
        "AccessDenied" if answer.message.contains("Invalid signature") => "SignatureDoesNotMatch",
        code => code,
    }
}

/// AuthorizationHeaderMalformed names the right region only in its text: "expecting 'eu-west-1'".
fn expected_region(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("expecting '")?;
    let (region, _) = rest.split_once('\'')?;
    let plain = region
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && !region.is_empty()).then(|| region.to_owned())
}

/// An error's causes on one line: the SDK's own `Display` names only its outermost class.
pub(super) fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

/// A connection's failure without the names of the layers that it came up through.
fn without_layers(causes: &str) -> String {
    let layers = [
        "dispatch failure: ",
        "io error: ",
        "client error (Connect): ",
    ];
    layers
        .iter()
        .fold(causes, |rest, layer| {
            rest.strip_prefix(layer).unwrap_or(rest)
        })
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::credentials::Credentials;

    fn bucket() -> Bucket {
        let config = Config::parse(
            "[store]\npath = \"/x\"\n[[source]]\nname = \"w\"\nbucket = \"backups\"\nendpoint = \"https://s3.example.com\"",
        )
        .unwrap();
        let credentials = Credentials::from("env").unwrap();
        Bucket::new(
            &config.sources[0],
            &credentials,
            super::super::Tuning::default(),
        )
        .unwrap()
    }

    fn means(needs: Needs, status: u16, code: &str, message: &str) -> Failure {
        bucket().meaning(
            needs,
            &Answered {
                status,
                code: code.into(),
                message: message.into(),
                date: Some("Sat, 01 Jan 2000 00:00:00 GMT".into()),
                region: None,
            },
        )
    }

    /// Each names the thing and the way out.
    #[test]
    fn words_for_what_stops_a_run() {
        use Needs::*;
        for (failure, what, hint) in [
            (
                means(ListBucket, 404, "NoSuchBucket", ""),
                "no bucket backups at https://s3.example.com",
                "region",
            ),
            (
                means(ListBucket, 403, "AccessDenied", ""),
                "may not do s3:ListBucket",
                r#""Resource": "arn:aws:s3:::backups"}"#,
            ),
            (
                means(ListBucket, 403, "InvalidAccessKeyId", ""),
                "does not know this access key",
                "revoked",
            ),
            (
                means(ListBucket, 403, "SignatureDoesNotMatch", ""),
                "the secret key is wrong",
                "copy it again",
            ),
            (
                means(
                    ListBucket,
                    403,
                    "AccessDenied",
                    "Forbidden: No such key: GK1",
                ),
                "does not know this access key",
                "revoked",
            ),
            (
                means(
                    ListBucket,
                    403,
                    "AccessDenied",
                    "Forbidden: Invalid signature",
                ),
                "the secret key is wrong",
                "copy it again",
            ),
            (
                means(ListBucket, 400, "ExpiredToken", ""),
                "session token",
                "sign in again",
            ),
            (
                means(ListBucket, 403, "RequestTimeTooSkewed", ""),
                "minutes ahead",
                "timedatectl",
            ),
            (
                means(
                    ListBucket,
                    400,
                    "AuthorizationHeaderMalformed",
                    "the region 'x' is wrong; expecting 'eu-west-1'",
                ),
                "not in this region",
                "\"eu-west-1\"",
            ),
            (
                means(ListBucket, 301, "PermanentRedirect", ""),
                "not in this region",
                "made in",
            ),
            (
                means(ListBucket, 405, "", ""),
                "refused the request",
                "web page",
            ),
        ] {
            let Failure::Fatal(error) = failure else {
                panic!("{failure:?}")
            };
            assert!(error.to_string().contains(what), "{error}");
            assert!(
                error.way_out().unwrap().contains(hint),
                "{:?}",
                error.way_out()
            );
        }
    }

    #[test]
    fn what_an_object_answers() {
        use Needs::GetObject;
        assert!(matches!(
            means(GetObject, 404, "NoSuchKey", ""),
            Failure::Gone
        ));
        assert!(matches!(means(GetObject, 404, "", ""), Failure::Gone));
        assert!(matches!(means(GetObject, 412, "", ""), Failure::Changed));
        assert!(matches!(
            means(GetObject, 403, "InvalidObjectState", ""),
            Failure::Archived
        ));
        assert!(matches!(
            means(GetObject, 503, "SlowDown", ""),
            Failure::Passing(_)
        ));
        assert!(matches!(means(GetObject, 429, "", ""), Failure::Passing(_)));
        for (failure, hint) in [
            (
                means(GetObject, 403, "AccessDenied", ""),
                "arn:aws:s3:::backups/*",
            ),
            (
                means(GetObject, 403, "AccessDenied", "not allowed: kms:Decrypt"),
                "kms:Decrypt",
            ),
            (
                means(GetObject, 400, "InvalidRequest", "encryption"),
                "SSE-C",
            ),
        ] {
            let Failure::Unreadable(error) = failure else {
                panic!("{failure:?}")
            };
            assert!(error.way_out().unwrap().contains(hint), "{error}");
        }
    }
}
