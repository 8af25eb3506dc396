//! PUT and DELETE over HTTP, for the key that may.

use super::locks::asked;
use super::service::{Endpoint, etag};
use super::state::{Locked, State, Versioning};
use super::stored::{self, Encryption, PutOptions};
use s3s::dto::*;
use s3s::{Body, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

/// The most that a PUT over HTTP may bring: everything is held in memory.
const MAX_PUT: usize = 1 << 30;

pub(super) async fn put(
    at: &Endpoint,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let mut input = request.input;
    let claimed = claimed_checksums(&input);
    let (bytes, claimed) = received(input.body.take(), claimed, request.trailing_headers).await?;
    store(&mut *at.bucket(&input.bucket)?, &input, bytes, claimed).map(S3Response::new)
}

/// What a request brought, and the checksums of it that stood in front or came behind.
pub(super) async fn received(
    body: Option<StreamingBlob>,
    mut claimed: Checksum,
    trailers: Option<TrailingHeaders>,
) -> S3Result<(Vec<u8>, Checksum)> {
    let mut body = body.map(Body::from).unwrap_or_default();
    let bytes = body
        .store_all_limited(MAX_PUT)
        .await
        .map_err(|error| s3s::S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))?
        .to_vec();
    for kind in stored::Checksum::ALL {
        let name = format!("x-amz-checksum-{}", kind.as_str().to_ascii_lowercase());
        let trailer = trailers.as_ref().and_then(|trailers| {
            trailers.read(|headers| Some(headers.get(&name)?.to_str().ok()?.to_owned()))
        });
        if let Some(value) = trailer.flatten() {
            *kind.field(&mut claimed) = Some(value);
        }
    }
    Ok((bytes, claimed))
}

fn claimed_checksums(input: &PutObjectInput) -> Checksum {
    Checksum {
        checksum_crc32: input.checksum_crc32.clone(),
        checksum_crc32c: input.checksum_crc32c.clone(),
        checksum_crc64nvme: input.checksum_crc64nvme.clone(),
        checksum_sha1: input.checksum_sha1.clone(),
        checksum_sha256: input.checksum_sha256.clone(),
        checksum_type: None,
    }
}

fn store(
    state: &mut State,
    input: &PutObjectInput,
    bytes: Vec<u8>,
    mut claimed: Checksum,
) -> S3Result<PutObjectOutput> {
    check_condition(state, input)?;
    check_md5(input.content_md5.as_deref(), &bytes)?;
    let lock = asked(
        state,
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date.as_ref(),
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    let checksum = stored::Checksum::ALL
        .into_iter()
        .find(|kind| kind.field(&mut claimed).is_some());
    let options = PutOptions {
        lock,
        ..options(input, checksum)
    };
    let length = bytes.len();
    let put = stored::Stored::new(bytes, options);
    if let Some(kind) = checksum {
        let mut computed = put.checksums();
        if kind.field(&mut computed) != kind.field(&mut claimed) {
            return Err(s3_error!(
                BadDigest,
                "The checksum you specified did not match."
            ));
        }
    }
    let etag = etag(state, &put);
    let checksums = put.checksums();
    let id = state.put(&input.key, put);
    Ok(PutObjectOutput {
        e_tag: Some(etag),
        size: i64::try_from(length).ok(),
        version_id: (state.versioning == Versioning::Enabled).then_some(id),
        checksum_crc32: checksums.checksum_crc32,
        checksum_crc32c: checksums.checksum_crc32c,
        checksum_crc64nvme: checksums.checksum_crc64nvme,
        checksum_sha1: checksums.checksum_sha1,
        checksum_sha256: checksums.checksum_sha256,
        checksum_type: checksums.checksum_type,
        server_side_encryption: input.server_side_encryption.clone(),
        ssekms_key_id: input.ssekms_key_id.clone(),
        ..Default::default()
    })
}

fn options(input: &PutObjectInput, checksum: Option<stored::Checksum>) -> PutOptions {
    let encryption = encryption(
        input.sse_customer_algorithm.is_some(),
        input.server_side_encryption.as_ref(),
        input.ssekms_key_id.as_ref(),
    );
    PutOptions {
        content_type: input.content_type.clone(),
        metadata: input.metadata.clone().into_iter().flatten().collect(),
        storage_class: input.storage_class.as_ref().map(|c| c.as_str().to_owned()),
        checksum,
        encryption,
        ..Default::default()
    }
}

/// What a request asks for: by the customer's own key, or by this kind with that key.
pub(super) fn encryption(
    customer: bool,
    kind: Option<&ServerSideEncryption>,
    key: Option<&String>,
) -> Option<Encryption> {
    match (customer, kind) {
        (true, _) => Some(Encryption::Customer),
        (false, Some(kind)) if kind.as_str() == ServerSideEncryption::AES256 => {
            Some(Encryption::S3)
        }
        (false, Some(_)) => Some(Encryption::Kms(key.cloned().unwrap_or_default())),
        (false, None) => None,
    }
}

/// Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
fn check_condition(state: &State, input: &PutObjectInput) -> S3Result<()> {
    let standing = state.newest(&input.key).and_then(|v| v.object.as_deref());
    let standing = standing.map(|object| etag(state, object));
    let failed = || {
        s3_error!(
            PreconditionFailed,
            "At least one of the pre-conditions did not hold"
        )
    };
    match (&input.if_match, &standing) {
        (Some(_), None) => {
            return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
        }
        (Some(condition), Some(standing)) if !names(condition, standing) => return Err(failed()),
        _ => {}
    }
    match (&input.if_none_match, &standing) {
        (Some(condition), Some(standing)) if names(condition, standing) => Err(failed()),
        _ => Ok(()),
    }
}

fn names(condition: &ETagCondition, etag: &ETag) -> bool {
    condition
        .as_etag()
        .is_none_or(|named| named.value() == etag.value())
}

pub(super) fn check_md5(claimed: Option<&str>, bytes: &[u8]) -> S3Result<()> {
    let Some(claimed) = claimed else {
        return Ok(());
    };
    match data_encoding::BASE64.decode(claimed.as_bytes()) {
        Ok(digest) if digest.len() != 16 => Err(s3_error!(
            InvalidDigest,
            "The Content-MD5 you specified is not valid."
        )),
        Ok(digest) if digest == stored::md5(bytes) => Ok(()),
        Ok(_) => Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match."
        )),
        Err(_) => Err(s3_error!(
            InvalidDigest,
            "The Content-MD5 you specified is not valid."
        )),
    }
}

pub(super) fn delete(at: &Endpoint, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let mut state = at.bucket(&input.bucket)?;
    let (version_id, marker) = match input.version_id {
        Some(id) => {
            let bypass = input.bypass_governance_retention == Some(true);
            let removed = state
                .remove_unlocked(&input.key, &id, bypass)
                .map_err(|Locked| {
                    s3_error!(
                        AccessDenied,
                        "Access Denied because object protected by object lock."
                    )
                })?;
            let marker = removed.is_some_and(|version| version.object.is_none());
            (Some(id), marker)
        }
        None => {
            let id = state.delete(&input.key);
            (id.clone(), id.is_some())
        }
    };
    Ok(DeleteObjectOutput {
        delete_marker: marker.then_some(true),
        version_id,
        ..Default::default()
    })
}
