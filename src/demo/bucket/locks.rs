//! Object lock over HTTP: what PUT asks for, and what GET, HEAD and its own operations tell.

use super::read;
use super::service::{Endpoint, time};
use super::state::{State, Version};
use crate::object::{DefaultLock, Lock, LockMode, Retention};
use s3s::dto::*;
use s3s::{S3Result, s3_error};

/// The lock that a request asks for, which the bucket must allow.
pub(super) fn asked(
    state: &State,
    mode: Option<&ObjectLockMode>,
    until: Option<&Timestamp>,
    status: Option<&ObjectLockLegalHoldStatus>,
) -> S3Result<Option<Lock>> {
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => Some(Retention {
            mode: LockMode::told(mode.as_str()),
            until: ours(until)?,
        }),
        _ => {
            return Err(s3_error!(
                InvalidArgument,
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
            ));
        }
    };
    let hold = status.is_some_and(|status| status.as_str() == ObjectLockLegalHoldStatus::ON);
    let lock = Lock::of(retention, hold);
    if lock.is_some() && !state.lock.on {
        return Err(s3_error!(
            InvalidRequest,
            "Bucket is missing Object Lock Configuration"
        ));
    }
    Ok(lock)
}

fn ours(at: &Timestamp) -> S3Result<crate::object::Timestamp> {
    let mut text = Vec::new();
    let written = at.format(TimestampFormat::DateTime, &mut text);
    let text = written.ok().and_then(|()| String::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        s3_error!(
            InvalidArgument,
            "The retain until date must be provided in ISO 8601 format"
        )
    })
}

/// The lock that the bucket tells of a version.
pub(super) fn told(state: &State, version: &Version) -> Option<Lock> {
    let lock = version.lock.as_deref().copied();
    lock.filter(|_| !state.faults.locks_hidden)
}

pub(super) fn mode(lock: &Lock) -> Option<String> {
    Some(name(lock.retention?.mode).to_owned())
}

pub(super) fn until(lock: &Lock) -> Option<Timestamp> {
    Some(time(lock.retention?.until))
}

pub(super) fn hold(lock: &Lock) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(match lock.hold {
        true => ObjectLockLegalHoldStatus::ON,
        false => ObjectLockLegalHoldStatus::OFF,
    })
}

fn name(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Governance => "GOVERNANCE",
        LockMode::Compliance => "COMPLIANCE",
    }
}

pub(super) fn configuration(
    at: &Endpoint,
    input: GetObjectLockConfigurationInput,
) -> S3Result<GetObjectLockConfigurationOutput> {
    let lock = at.bucket(&input.bucket)?.lock;
    if !lock.on {
        return Err(s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        ));
    }
    let rule = |default: DefaultLock| ObjectLockRule {
        default_retention: Some(DefaultRetention {
            days: i32::try_from(default.days).ok(),
            mode: Some(ObjectLockRetentionMode::from(name(default.mode).to_owned())),
            years: None,
        }),
    };
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule: lock.default.map(rule),
        }),
    })
}

pub(super) fn retention(
    at: &Endpoint,
    input: GetObjectRetentionInput,
) -> S3Result<GetObjectRetentionOutput> {
    let state = at.bucket(&input.bucket)?;
    let version = read::version(&state, &input.key, input.version_id.as_deref())?;
    let retention = version.lock.as_deref().and_then(|lock| lock.retention);
    let retention = retention.ok_or_else(|| {
        s3_error!(
            NoSuchObjectLockConfiguration,
            "The specified object does not have a ObjectLock configuration"
        )
    })?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from(
                name(retention.mode).to_owned(),
            )),
            retain_until_date: Some(time(retention.until)),
        }),
    })
}
