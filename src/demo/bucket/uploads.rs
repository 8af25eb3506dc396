//! Uploads in parts over HTTP, for the key that may write.

use super::locks::asked;
use super::service::{Endpoint, etag};
use super::state::{State, Versioning};
use super::stored::{self, PutOptions, Stored};
use super::write::{check_md5, encryption, received};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use std::collections::BTreeMap;

/// An upload that was begun and not ended.
pub(super) struct Upload {
    key: String,
    options: PutOptions,
    parts: BTreeMap<i32, Vec<u8>>,
}

pub(super) fn create(
    at: &Endpoint,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    let checksum = input.checksum_algorithm.as_ref();
    let known = |name: &ChecksumAlgorithm| {
        let mut all = stored::Checksum::ALL.into_iter();
        all.find(|kind| kind.as_str() == name.as_str())
            .ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "Checksum algorithm provided is unsupported."
                )
            })
    };
    let kind = input.checksum_type.as_ref();
    let lock = asked(
        &*at.bucket(&input.bucket)?,
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date.as_ref(),
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    let options = PutOptions {
        lock,
        content_type: input.content_type.clone(),
        metadata: input.metadata.clone().into_iter().flatten().collect(),
        storage_class: input.storage_class.as_ref().map(|c| c.as_str().to_owned()),
        checksum: checksum.map(known).transpose()?,
        full_object: kind.is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT),
        encryption: encryption(
            input.sse_customer_algorithm.is_some(),
            input.server_side_encryption.as_ref(),
            input.ssekms_key_id.as_ref(),
        ),
        ..PutOptions::default()
    };
    let upload = Upload {
        key: input.key.clone(),
        options,
        parts: BTreeMap::new(),
    };
    let id = at.bucket(&input.bucket)?.begin(upload);
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        server_side_encryption: input.server_side_encryption,
        ssekms_key_id: input.ssekms_key_id,
        ..Default::default()
    })
}

/// The upload of this id, which is one of this key.
fn known<'a>(state: &'a mut State, id: &str, key: &str) -> S3Result<&'a mut Upload> {
    let upload = state.uploads.get_mut(id);
    upload
        .filter(|upload| upload.key == key)
        .ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
}

pub(super) async fn part(
    at: &Endpoint,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let mut input = request.input;
    known(
        &mut *at.bucket(&input.bucket)?,
        &input.upload_id,
        &input.key,
    )?;
    let claimed = Checksum {
        checksum_crc32: input.checksum_crc32.take(),
        checksum_crc32c: input.checksum_crc32c.take(),
        checksum_crc64nvme: input.checksum_crc64nvme.take(),
        checksum_sha1: input.checksum_sha1.take(),
        checksum_sha256: input.checksum_sha256.take(),
        checksum_type: None,
    };
    let (bytes, claimed) = received(input.body.take(), claimed, request.trailing_headers).await?;
    check_md5(input.content_md5.as_deref(), &bytes)?;
    check(claimed.clone(), |kind| {
        stored::checksum(kind, &bytes, None, true)
    })?;
    let etag = stored::md5_hex(&bytes);
    let mut state = at.bucket(&input.bucket)?;
    let upload = known(&mut state, &input.upload_id, &input.key)?;
    upload.parts.insert(input.part_number, bytes);
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: claimed.checksum_crc32,
        checksum_crc32c: claimed.checksum_crc32c,
        checksum_crc64nvme: claimed.checksum_crc64nvme,
        checksum_sha1: claimed.checksum_sha1,
        checksum_sha256: claimed.checksum_sha256,
        ..Default::default()
    }))
}

/// Whether every checksum that the uploader told is the one that was `computed`.
fn check(mut claimed: Checksum, computed: impl Fn(stored::Checksum) -> Checksum) -> S3Result<()> {
    for kind in stored::Checksum::ALL {
        let told = kind.field(&mut claimed).take();
        if told.is_some() && told != kind.field(&mut computed(kind)).take() {
            return Err(s3_error!(
                BadDigest,
                "The checksum you specified did not match."
            ));
        }
    }
    Ok(())
}

pub(super) fn complete(
    at: &Endpoint,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let mut state = at.bucket(&input.bucket)?;
    let upload = known(&mut state, &input.upload_id, &input.key)?;
    let put = whole(upload, input.multipart_upload.as_ref())?;
    if put
        .checksum_type()
        .is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT)
    {
        let claimed = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            ..Default::default()
        };
        check(claimed, |_| put.checksums())?;
    }
    let (etag, checksums) = (etag(&state, &put), put.checksums());
    state.uploads.remove(&input.upload_id);
    let id = state.put(&input.key, put);
    Ok(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag),
        version_id: (state.versioning == Versioning::Enabled).then_some(id),
        checksum_crc32: checksums.checksum_crc32,
        checksum_crc32c: checksums.checksum_crc32c,
        checksum_crc64nvme: checksums.checksum_crc64nvme,
        checksum_sha1: checksums.checksum_sha1,
        checksum_sha256: checksums.checksum_sha256,
        checksum_type: checksums.checksum_type,
        ..Default::default()
    })
}

/// The object that the named parts make, in the order of their numbers.
fn whole(upload: &Upload, named: Option<&CompletedMultipartUpload>) -> S3Result<Stored> {
    let wrong = || {
        s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found."
        )
    };
    let named = named.and_then(|named| named.parts.as_ref());
    let mut parts = Vec::new();
    for part in named.into_iter().flatten() {
        let number = part.part_number.unwrap_or_default();
        let bytes = upload.parts.get(&number).ok_or_else(wrong)?;
        let told = part.e_tag.as_ref().map(ETag::value);
        if told.is_some_and(|etag| etag != stored::md5_hex(bytes)) {
            return Err(wrong());
        }
        parts.push(bytes.as_slice());
    }
    let sizes: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let (first, size) = cut(&sizes)
        .ok_or_else(|| s3_error!(NotImplemented, "Parts of different sizes are not kept here"))?;
    let options = PutOptions {
        part_size: Some(size),
        first_part: Some(first).filter(|first| *first != size),
        ..upload.options.clone()
    };
    Ok(Stored::new(parts.concat(), options))
}

/// The size of the first part and of those behind it, where all but the last are alike.
fn cut(sizes: &[usize]) -> Option<(usize, usize)> {
    let (first, rest) = sizes.split_first()?;
    let Some((last, middle)) = rest.split_last() else {
        return Some((*first, *first));
    };
    // Of two parts the second may be the last of those that are like the first.
    let size = middle.first().copied().unwrap_or(*first.max(last));
    let alike = middle.iter().all(|of| *of == size) && *last <= size;
    alike.then_some((*first, size))
}

pub(super) fn abort(
    at: &Endpoint,
    input: AbortMultipartUploadInput,
) -> S3Result<AbortMultipartUploadOutput> {
    let mut state = at.bucket(&input.bucket)?;
    known(&mut state, &input.upload_id, &input.key)?;
    state.uploads.remove(&input.upload_id);
    Ok(AbortMultipartUploadOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_where_all_but_the_first_and_the_last_are_alike() {
        for (sizes, expected) in [
            (&[5][..], Some((5, 5))),
            (&[5, 3], Some((5, 5))),
            (&[3, 5], Some((3, 5))),
            (&[5, 5, 5], Some((5, 5))),
            (&[5, 5, 2], Some((5, 5))),
            (&[4, 5, 2], Some((4, 5))),
            (&[5, 4, 5], None),
            (&[5, 5, 6], None),
            (&[], None),
        ] {
            assert_eq!(cut(sizes), expected, "{sizes:?}");
        }
    }
}
