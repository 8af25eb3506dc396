//! What the bucket's own rules delete.

use super::client::Bucket;
use crate::object::{After, Expires, Expiry, Timestamp};
use aws_sdk_s3::Config;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule, Tag};

/// What the bucket says of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those in force that delete something.
    Are(Vec<Expiry>),
    /// Our key may not ask (s3:GetLifecycleConfiguration).
    Withheld,
    /// Nothing that means something: a server without rules, or one that is busy.
    Unknown,
}

impl Bucket {
    /// The rules in force that delete something: one request, sent once. No pull fails for it.
    pub async fn lifecycle(&self) -> Rules {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let answer = self
            .client
            .get_bucket_lifecycle_configuration()
            .bucket(&*self.name)
            .customize()
            .config_override(once)
            .send()
            .await;
        match answer {
            Ok(answer) => Rules::Are(answer.rules().iter().flat_map(expiries).collect()),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => {
                Rules::Are(Vec::new())
            }
            Err(error) => {
                log::debug!("the bucket's rules: {}", super::failure::causes(&error));
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                match (status, error.code().unwrap_or_default()) {
                    (Some(401 | 403), "AccessDenied" | "") => Rules::Withheld,
                    _ => Rules::Unknown,
                }
            }
        }
    }
}

/// What a rule deletes. That it moves objects to another class, clears up delete markers that hide
/// nothing, or ends uploads that were never finished, is no loss.
fn expiries(rule: &LifecycleRule) -> Vec<Expiry> {
    if *rule.status() != ExpirationStatus::Enabled {
        return Vec::new();
    }
    let (under, only) = reach(rule);
    let expiry = |of, after, keeps| Expiry {
        of,
        under: under.clone(),
        after,
        keeps,
        only: only.clone(),
    };
    let days = |days: i32| After::Days(u32::try_from(days).unwrap_or(0));
    let mut all = Vec::new();
    if let Some(current) = rule.expiration() {
        let on = current.date().and_then(|date| {
            let at = Timestamp::from_second(date.secs()).ok()?;
            Some(After::On(at))
        });
        let after = current.days().map(days).or(on);
        all.extend(after.map(|after| expiry(Expires::Current, after, 0)));
    }
    if let Some(older) = rule.noncurrent_version_expiration() {
        // MinIO has rules by number alone.
        let after = days(older.noncurrent_days().unwrap_or(0));
        let keeps = u32::try_from(older.newer_noncurrent_versions().unwrap_or(0)).unwrap_or(0);
        all.push(expiry(Expires::Older, after, keeps));
    }
    all
}

/// The prefix of the keys that a rule is about, and what else narrows it.
fn reach(rule: &LifecycleRule) -> (String, Option<String>) {
    #[expect(deprecated, reason = "rules of before 2016 have their prefix there")]
    let old = rule.prefix();
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    let prefix = and
        .and_then(|and| and.prefix())
        .or_else(|| filter.and_then(|filter| filter.prefix()))
        .or(old);
    let tag = |tag: &Tag| format!("tag {}={}", tag.key(), tag.value());
    let mut only: Vec<String> = filter.and_then(|f| f.tag()).map(tag).into_iter().collect();
    only.extend(
        and.map(|and| and.tags())
            .unwrap_or_default()
            .iter()
            .map(tag),
    );
    let larger = and
        .and_then(|and| and.object_size_greater_than())
        .or_else(|| filter.and_then(|filter| filter.object_size_greater_than()));
    let smaller = and
        .and_then(|and| and.object_size_less_than())
        .or_else(|| filter.and_then(|filter| filter.object_size_less_than()));
    only.extend(larger.map(|bytes| format!("larger than {bytes} bytes")));
    only.extend(smaller.map(|bytes| format!("smaller than {bytes} bytes")));
    let only = (!only.is_empty()).then(|| only.join(", "));
    (prefix.unwrap_or_default().to_owned(), only)
}
