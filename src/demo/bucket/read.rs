//! GET and HEAD of an object.

use super::faults::Fault;
use super::locks::{hold, mode, told, until};
use super::server::with_headers;
use super::service::{Endpoint, etag, time, whole_seconds};
use super::state::{State, Version, Versioning};
use super::stored::{Encryption, Stored};
use crate::object::Lock;
use s3s::dto::*;
use s3s::{Body, S3Error, S3ErrorCode, S3Result, s3_error};
use std::collections::HashMap;
use std::ops::Range as Span;
use std::sync::Arc;

/// The version that a request asks for, and which of its bytes.
struct Found {
    object: Arc<Stored>,
    /// How many bytes it is said to have.
    length: u64,
    version_id: Option<String>,
    etag: ETag,
    at: crate::object::Timestamp,
    span: Span<u64>,
    /// Whether the request asked for a part of the bytes.
    partial: bool,
    by_part: bool,
    checksums: Checksum,
    lock: Option<Lock>,
}

/// The fields that GET and HEAD answer with alike.
macro_rules! described {
    ($output:ident, $found:expr) => {{
        let found = $found;
        let options = found.object.options();
        let encryption = options.encryption.as_ref();
        let length = found.span.end.saturating_sub(found.span.start);
        $output {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(length).ok(),
            content_range: found.content_range(),
            content_type: Some(
                options
                    .content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            e_tag: Some(found.etag.clone()),
            last_modified: Some(time(found.at)),
            metadata: Some(
                options
                    .metadata
                    .clone()
                    .into_iter()
                    .collect::<HashMap<_, _>>(),
            ),
            parts_count: found.parts_count(),
            storage_class: options.storage_class.clone().map(Into::into),
            server_side_encryption: encryption.and_then(encryption_name).map(Into::into),
            ssekms_key_id: match encryption {
                Some(Encryption::Kms(key)) => Some(key.clone()),
                _ => None,
            },
            sse_customer_algorithm: (encryption == Some(&Encryption::Customer))
                .then(|| "AES256".to_owned()),
            version_id: found.version_id.clone(),
            checksum_crc32: found.checksums.checksum_crc32.clone(),
            checksum_crc32c: found.checksums.checksum_crc32c.clone(),
            checksum_crc64nvme: found.checksums.checksum_crc64nvme.clone(),
            checksum_sha1: found.checksums.checksum_sha1.clone(),
            checksum_sha256: found.checksums.checksum_sha256.clone(),
            checksum_type: found.checksums.checksum_type.clone(),
            object_lock_mode: found.lock.and_then(|lock| mode(&lock)).map(Into::into),
            object_lock_retain_until_date: found.lock.and_then(|lock| until(&lock)),
            object_lock_legal_hold_status: found.lock.map(|lock| hold(&lock)),
            ..Default::default()
        }
    }};
}

impl Found {
    fn content_range(&self) -> Option<String> {
        let last = self.span.end.checked_sub(1)?;
        let partial = self.partial && last >= self.span.start;
        partial.then(|| format!("bytes {}-{last}/{}", self.span.start, self.length))
    }

    fn parts_count(&self) -> Option<i32> {
        let parts = self.object.parts().filter(|_| self.by_part)?;
        i32::try_from(parts).ok()
    }
}

fn encryption_name(encryption: &Encryption) -> Option<String> {
    match encryption {
        Encryption::S3 => Some("AES256".to_owned()),
        Encryption::Kms(_) => Some("aws:kms".to_owned()),
        Encryption::Customer => None,
    }
}

pub(super) fn head(at: &Endpoint, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let input = GetObjectInput {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
        range: input.range,
        part_number: input.part_number,
        checksum_mode: input.checksum_mode,
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
        sse_customer_key: input.sse_customer_key,
        ..Default::default()
    };
    let found = find(&*at.bucket(&input.bucket)?, &input)?;
    Ok(described!(HeadObjectOutput, &found))
}

pub(super) fn get(at: &Endpoint, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    let mut state = at.bucket(&input.bucket)?;
    let found = find(&state, &input)?;
    if found.object.is_archived() {
        return Err(s3_error!(
            InvalidObjectState,
            "The operation is not valid for the object's storage class"
        ));
    }
    let output: GetObjectOutput = described!(GetObjectOutput, &found);
    Ok(spoilt(at, &mut state, &input.key, &found, output))
}

/// The answer with its body, and with the faults that strike it.
fn spoilt(
    at: &Endpoint,
    state: &mut State,
    key: &str,
    found: &Found,
    mut output: GetObjectOutput,
) -> GetObjectOutput {
    let faults = &mut state.faults;
    let key = Some(key);
    let mut span = found.span.clone();
    let of_key = faults.flip_at.as_ref().zip(key);
    let of_key = of_key.and_then(|(place, key)| place(key));
    let flip = Fault::strike(&mut faults.flip, key, |offset| span.contains(offset))
        .or(of_key.filter(|offset| span.contains(offset)));
    if !span.is_empty() && Fault::strike(&mut faults.shorten, key, |()| true).is_some() {
        span.end -= 1;
    }
    let length = span.end - span.start;
    let cut = Fault::strike(&mut faults.cut, key, |after| *after < length);
    let trickle = Fault::strike(&mut faults.trickle, key, |_| length > 0);
    if cut.is_some() || trickle.is_some() {
        at.plan.spoil(length, cut, trickle);
    }
    let body = found.object.slice(span.clone());
    let body = match flip {
        Some(offset) => flipped(&body, offset - span.start),
        None => body,
    };
    output.content_length = i64::try_from(length).ok();
    output.body = Some(StreamingBlob::from(body));
    output
}

fn flipped(body: &Body, offset: u64) -> Body {
    let mut bytes = body.bytes().unwrap_or_default().to_vec();
    let byte = usize::try_from(offset)
        .ok()
        .and_then(|at| bytes.get_mut(at));
    if let Some(byte) = byte {
        *byte ^= 1;
    }
    Body::from(bytes)
}

fn find(state: &State, input: &GetObjectInput) -> S3Result<Found> {
    if state.faults.no_checksum_mode && input.checksum_mode.is_some() {
        return Err(s3_error!(
            InvalidArgument,
            "Unsupported header 'x-amz-checksum-mode' received for this API call."
        ));
    }
    let number = input.part_number.filter(|_| !state.faults.no_part_numbers);
    let version = version(state, &input.key, input.version_id.as_deref())?;
    let Some(object) = &version.object else {
        return Err(marker(version, input.version_id.is_some()));
    };
    let etag = etag(state, object);
    check_conditions(input, &etag, &time(whole_seconds(version.at)))?;
    if object.options().encryption == Some(Encryption::Customer) && input.sse_customer_key.is_none()
    {
        return Err(s3_error!(
            InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
        ));
    }
    let length = state.told_length(&input.key, object);
    let (span, partial) = span(object, length, input, number)?;
    let wants_checksums = input
        .checksum_mode
        .as_ref()
        .is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    Ok(Found {
        version_id: (state.versioning != Versioning::Off).then(|| version.id.clone()),
        at: version.at,
        etag,
        partial,
        by_part: number.is_some(),
        checksums: if wants_checksums && !partial {
            object.checksums()
        } else {
            Checksum::default()
        },
        lock: told(state, version),
        object: Arc::clone(object),
        length,
        span,
    })
}

pub(super) fn version<'a>(state: &'a State, key: &str, id: Option<&str>) -> S3Result<&'a Version> {
    match id {
        Some(id) => state
            .version(key, id)
            .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist.")),
        None => state
            .newest(key)
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist.")),
    }
}

/// A delete marker is not there when the key is asked for, and allows nothing but DELETE when its
/// version is (Amazon S3 User Guide, "Working with delete markers").
fn marker(version: &Version, by_version: bool) -> S3Error {
    let id = ("x-amz-version-id", version.id.as_str());
    let marker = ("x-amz-delete-marker", "true");
    if by_version {
        let error = s3_error!(MethodNotAllowed, "The specified method is not allowed.");
        with_headers(error, &[marker, id, ("allow", "DELETE")])
    } else {
        let error = s3_error!(NoSuchKey, "The specified key does not exist.");
        with_headers(error, &[marker, id])
    }
}

/// The conditions of RFC 9110, section 13.1, as S3 combines them: an ETag that matches outweighs
/// a date.
fn check_conditions(
    input: &GetObjectInput,
    etag: &ETag,
    modified: &s3s::dto::Timestamp,
) -> S3Result<()> {
    let names = |condition: &ETagCondition| match condition.as_etag() {
        Some(named) => named.value() == etag.value(),
        None => true,
    };
    let failed = match (&input.if_match, &input.if_unmodified_since) {
        (Some(condition), _) => !names(condition),
        (None, Some(since)) => modified > since,
        (None, None) => false,
    };
    if failed {
        return Err(s3_error!(
            PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold"
        ));
    }
    let known = match (&input.if_none_match, &input.if_modified_since) {
        (Some(condition), _) => names(condition),
        (None, Some(since)) => modified <= since,
        (None, None) => false,
    };
    if known {
        let error = s3_error!(NotModified, "Not Modified");
        return Err(with_headers(
            error,
            &[("etag", &format!("\"{}\"", etag.value()))],
        ));
    }
    Ok(())
}

/// The bytes that are asked for, and whether the request named a part of them.
fn span(
    object: &Stored,
    length: u64,
    input: &GetObjectInput,
    part_number: Option<i32>,
) -> S3Result<(Span<u64>, bool)> {
    match (&input.range, part_number) {
        (None, None) => Ok((0..length, false)),
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
        (Some(range), None) => match range.check(length) {
            Ok(span) => Ok((span, true)),
            Err(_) => Err(s3_error!(
                InvalidRange,
                "The requested range is not satisfiable"
            )),
        },
        (None, Some(number)) => match u64::try_from(number).ok().and_then(|n| object.part(n)) {
            Some(span) => Ok((span.start..span.end.min(length), true)),
            None => Err(no_such_part()),
        },
    }
}

fn no_such_part() -> S3Error {
    let code = S3ErrorCode::Custom("InvalidPartNumber".into());
    let mut error = S3Error::with_message(code, "The requested partnumber is not satisfiable");
    if let Ok(status) = 416_u16.try_into() {
        error.set_status_code(status);
    }
    error
}
