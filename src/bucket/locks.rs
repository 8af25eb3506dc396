//! Object lock, as far as a key that reads is told of it: the bucket's setting, and a version's own
//! retention where its HEAD says nothing.

use super::blank::name_of;
use super::client::Bucket;
use super::listing::modified;
use crate::error::{Error, Kind};
use crate::object::{BucketLock, DefaultLock, Identity, Lock, LockMode, ObjectKey, Retention};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHoldStatus,
};

/// What the bucket says of its locks.
#[derive(Debug)]
pub enum Setting {
    /// This.
    Is(BucketLock),
    /// Our key may not ask.
    Withheld(Error),
    /// Nothing that means something: a server without locks, or one that is busy.
    Unknown,
}

/// What the bucket says of one version's retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Locked, or not.
    Lock(bool),
    /// Our key may not ask.
    Withheld,
    /// There was no answer.
    Nothing,
}

/// Days of a year, in a bucket's default retention.
const YEAR: i32 = 365;

impl Bucket {
    /// What the bucket's settings say of locks: one request. It never fails a run.
    pub async fn lock_setting(&self) -> Setting {
        let request = self
            .client
            .get_object_lock_configuration()
            .bucket(&*self.name);
        let error = match request.send().await {
            Ok(answer) => {
                let told = answer.object_lock_configuration();
                return Setting::Is(told.map(setting).unwrap_or_default());
            }
            Err(error) => error,
        };
        match (status(&error), error.code().unwrap_or_default()) {
            (Some(404), "ObjectLockConfigurationNotFoundError") => {
                Setting::Is(BucketLock::default())
            }
            (Some(401 | 403), "AccessDenied" | "") => Setting::Withheld(self.may_not_see_locks()),
            (status, code) => {
                log::debug!("no word about object lock: {status:?} {code}");
                Setting::Unknown
            }
        }
    }

    /// Whether a version has a retention, asked for by its own operation: for the case that a HEAD
    /// does not tell one. S3 leaves the headers out for a key without the right to see them.
    pub async fn retention_told(&self, key: &ObjectKey, identity: &Identity) -> Told {
        let request = self
            .client
            .get_object_retention()
            .bucket(&*self.name)
            .key(name_of(key))
            .set_version_id(self.by_version().version_of(identity));
        let error = match request.send().await {
            Ok(answer) => {
                let told = answer.retention().and_then(|r| r.retain_until_date());
                return Told::Lock(told.is_some());
            }
            Err(error) => error,
        };
        match status(&error) {
            Some(401 | 403) => Told::Withheld,
            // No such thing, for this version or on this server: then the HEAD's word counts.
            Some(400..=599) => Told::Lock(false),
            _ => Told::Nothing,
        }
    }

    fn may_not_see_locks(&self) -> Error {
        let what = format!(
            "this key may not do s3:GetBucketObjectLockConfiguration on bucket {}",
            self.name
        );
        Error::new(Kind::Usage, what).hint(format!(
            r#"add to its policy: {{"Effect": "Allow", "Action": "s3:GetBucketObjectLockConfiguration", "Resource": "arn:aws:s3:::{}"}}"#,
            self.name
        ))
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

fn setting(told: &ObjectLockConfiguration) -> BucketLock {
    let default = told.rule().and_then(|rule| rule.default_retention());
    let on = told.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled);
    BucketLock {
        on,
        default: default.and_then(default_lock).filter(|_| on),
    }
}

fn default_lock(told: &DefaultRetention) -> Option<DefaultLock> {
    let years = told.years().map(|years| years.saturating_mul(YEAR));
    let days = told.days().filter(|days| *days > 0).or(years)?;
    Some(DefaultLock {
        mode: LockMode::told(told.mode()?.as_str()),
        days: u32::try_from(days).ok().filter(|days| *days > 0)?,
    })
}

/// The lock that an answer's headers tell.
pub(super) fn told_lock(
    mode: Option<&str>,
    until: Option<&DateTime>,
    hold: Option<&ObjectLockLegalHoldStatus>,
) -> Option<Lock> {
    let retention = until.map(|until| Retention {
        mode: LockMode::told(mode.unwrap_or_default()),
        until: modified(Some(until)),
    });
    Lock::of(retention, hold == Some(&ObjectLockLegalHoldStatus::On))
}
