//! The S3 operations, as the `s3s` crate calls them. What is not here answers `NotImplemented`.

use super::faults::Paging;
use super::listing::{Asked, Row, key_of_token, token_after};
use super::server::Later;
use super::state::{State, Versioning};
use super::stored::{Stored, opaque_etag};
use super::wire::Plan;
use super::{Bucket, locks, read, uploads, write};
use crate::object::{After, Expires, Expiry, Timestamp};
use s3s::dto::{self, *};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

/// The buckets, as one connection sees them.
pub(super) struct Endpoint {
    pub(super) buckets: Arc<[Bucket]>,
    pub(super) plan: Plan,
}

impl Endpoint {
    pub(super) fn bucket(&self, name: &str) -> S3Result<MutexGuard<'_, State>> {
        self.buckets
            .iter()
            .find(|bucket| bucket.name() == name)
            .map(Bucket::lock)
            .ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }
}

/// Methods of the trait that are decided at once: each calls the function named.
macro_rules! answers {
    ($($method:ident($input:ty) -> $output:ty = $answer:path;)+) => {$(
        fn $method<'a, 'f>(&'a self, request: S3Request<$input>) -> Later<'f, S3Response<$output>>
        where
            'a: 'f,
            Self: 'f,
        {
            let answer = $answer(self, request.input).map(S3Response::new);
            Box::pin(std::future::ready(answer))
        }
    )+};
}

impl S3 for Endpoint {
    answers! {
        head_bucket(HeadBucketInput) -> HeadBucketOutput = head_bucket;
        get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = location;
        get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = versioning;
        get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = locks::configuration;
        get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = locks::retention;
        get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = lifecycle;
        list_objects(ListObjectsInput) -> ListObjectsOutput = list_objects;
        list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list_objects_v2;
        list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list_versions;
        get_object(GetObjectInput) -> GetObjectOutput = read::get;
        head_object(HeadObjectInput) -> HeadObjectOutput = read::head;
        delete_object(DeleteObjectInput) -> DeleteObjectOutput = write::delete;
        create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = uploads::create;
        complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = uploads::complete;
        abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = uploads::abort;
    }

    fn put_object<'a, 'f>(
        &'a self,
        request: S3Request<PutObjectInput>,
    ) -> Later<'f, S3Response<PutObjectOutput>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(write::put(self, request))
    }

    fn upload_part<'a, 'f>(
        &'a self,
        request: S3Request<UploadPartInput>,
    ) -> Later<'f, S3Response<UploadPartOutput>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(uploads::part(self, request))
    }
}

fn head_bucket(at: &Endpoint, input: HeadBucketInput) -> S3Result<HeadBucketOutput> {
    drop(at.bucket(&input.bucket)?);
    Ok(HeadBucketOutput {
        bucket_region: Some("us-east-1".to_owned()),
        ..Default::default()
    })
}

/// S3 names its first region, us-east-1, by an empty answer.
fn location(at: &Endpoint, input: GetBucketLocationInput) -> S3Result<GetBucketLocationOutput> {
    drop(at.bucket(&input.bucket)?);
    Ok(GetBucketLocationOutput::default())
}

fn versioning(
    at: &Endpoint,
    input: GetBucketVersioningInput,
) -> S3Result<GetBucketVersioningOutput> {
    let status = match at.bucket(&input.bucket)?.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(GetBucketVersioningOutput {
        status: status.map(BucketVersioningStatus::from_static),
        ..Default::default()
    })
}

fn lifecycle(
    at: &Endpoint,
    input: GetBucketLifecycleConfigurationInput,
) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    let state = at.bucket(&input.bucket)?;
    if state.lifecycle.is_empty() {
        return Err(s3_error!(
            NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist"
        ));
    }
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(state.lifecycle.iter().map(rule).collect()),
        ..Default::default()
    })
}

fn rule(expiry: &Expiry) -> LifecycleRule {
    let days = match expiry.after {
        After::Days(days) => i32::try_from(days).ok(),
        After::On(_) => None,
    };
    let date = match expiry.after {
        After::Days(_) => None,
        After::On(at) => Some(dto::Timestamp::from(SystemTime::from(at))),
    };
    let current = LifecycleExpiration {
        days,
        date,
        ..Default::default()
    };
    let older = NoncurrentVersionExpiration {
        noncurrent_days: days,
        newer_noncurrent_versions: i32::try_from(expiry.keeps).ok().filter(|n| *n > 0),
    };
    LifecycleRule {
        status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
        filter: Some(LifecycleRuleFilter {
            prefix: Some(expiry.under.clone()),
            ..Default::default()
        }),
        expiration: (expiry.of == Expires::Current).then_some(current),
        noncurrent_version_expiration: (expiry.of == Expires::Older).then_some(older),
        abort_incomplete_multipart_upload: None,
        id: None,
        noncurrent_version_transitions: None,
        prefix: None,
        transitions: None,
    }
}

/// How a listing writes names.
#[derive(Clone, Copy)]
struct Names {
    url: bool,
}

impl Names {
    fn asked(encoding: Option<&EncodingType>, delimiter: Option<&str>) -> S3Result<Self> {
        if delimiter.is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(
                NotImplemented,
                "This bucket lists without a delimiter"
            ));
        }
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(_) => Err(s3_error!(
                InvalidArgument,
                "Invalid Encoding Method specified"
            )),
        }
    }

    /// S3 writes names as an HTML form does: a blank is `+`, a slash stays.
    fn write(self, name: &str) -> String {
        const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
            .remove(b'/')
            .remove(b'-')
            .remove(b'_')
            .remove(b'.')
            .remove(b'*');
        if self.url {
            percent_encoding::utf8_percent_encode(name, ESCAPED)
                .to_string()
                .replace("%20", "+")
        } else {
            name.to_owned()
        }
    }

    fn write_some(self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.write(name))
    }
}

/// The first version of the operation: it goes on after a key.
fn list_objects(at: &Endpoint, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let names = Names::asked(input.encoding_type.as_ref(), input.delimiter.as_deref())?;
    let state = at.bucket(&input.bucket)?;
    let max = page_size(&state, input.max_keys)?;
    let page = state.list_objects(&Asked {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        after: input.marker.as_deref().filter(|marker| !marker.is_empty()),
        after_version: None,
        max,
    });
    let rows = page.rows.iter();
    let contents = rows.map(|row| object_row(&state, names, row)).collect();
    Ok(ListObjectsOutput {
        name: Some(state.name.clone()),
        prefix: Some(names.write(input.prefix.as_deref().unwrap_or_default())),
        marker: names.write_some(input.marker.as_deref()),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(page.truncated),
        contents: Some(contents),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn list_objects_v2(at: &Endpoint, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let names = Names::asked(input.encoding_type.as_ref(), input.delimiter.as_deref())?;
    let mut state = at.bucket(&input.bucket)?;
    let page_number = state.next_page();
    let max = page_size(&state, input.max_keys)?;
    let token = input.continuation_token.as_deref();
    let resumed = token.map(key_of_token).map(|key| {
        key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is incorrect"))
    });
    let resumed = resumed.transpose()?;
    let paging = state.faults.paging;
    if paging == Paging::FirstVersionAlone {
        return Err(s3_error!(NotImplemented, "ListObjectsV2 is not here"));
    }
    let from = input.start_after.as_deref();
    let after = resumed
        .as_deref()
        .or(from.filter(|_| paging != Paging::FirstVersion));
    let page = state.list_objects(&Asked {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        after: after.filter(|_| paging != Paging::SamePage),
        after_version: None,
        max,
    });
    let next = page.rows.last().filter(|_| page.truncated);
    let next = next.map(|row| token_after(row.key, page_number));
    let next = match paging {
        Paging::NoToken | Paging::FirstVersion | Paging::FirstVersionAlone => None,
        Paging::SameToken => token.map(str::to_owned).or(next),
        Paging::Right | Paging::SamePage => next,
    };
    let contents: Vec<_> = page
        .rows
        .iter()
        .map(|row| object_row(&state, names, row))
        .collect();
    Ok(ListObjectsV2Output {
        name: Some(state.name.clone()),
        prefix: Some(names.write(input.prefix.as_deref().unwrap_or_default())),
        start_after: names.write_some(input.start_after.as_deref()),
        key_count: i32::try_from(contents.len())
            .ok()
            .filter(|_| paging != Paging::FirstVersion),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(page.truncated),
        next_continuation_token: next,
        contents: Some(contents),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn list_versions(
    at: &Endpoint,
    input: ListObjectVersionsInput,
) -> S3Result<ListObjectVersionsOutput> {
    let names = Names::asked(input.encoding_type.as_ref(), input.delimiter.as_deref())?;
    let state = at.bucket(&input.bucket)?;
    let max = page_size(&state, input.max_keys)?;
    let non_empty = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (key_marker, id_marker) = (
        non_empty(&input.key_marker),
        non_empty(&input.version_id_marker),
    );
    if id_marker.is_some() && key_marker.is_none() {
        return Err(s3_error!(
            InvalidArgument,
            "A version-id marker cannot be specified without a key marker."
        ));
    }
    let paging = state.faults.paging;
    let again = paging == Paging::SamePage;
    let page = state.list_versions(&Asked {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        after: key_marker.as_deref().filter(|_| !again),
        after_version: id_marker.as_deref().filter(|_| !again),
        max,
    });
    let next = page.rows.last().filter(|_| page.truncated);
    let next = next.map(|row| (row.key.to_owned(), row.version.id.clone()));
    let next = match paging {
        Paging::NoToken | Paging::FirstVersion | Paging::FirstVersionAlone => None,
        Paging::SameToken => key_marker.clone().zip(id_marker.clone()).or(next),
        Paging::Right | Paging::SamePage => next,
    };
    let markers = page.rows.iter().filter(|row| row.what.is_none());
    let markers = markers.map(|row| marker_row(&state, names, row)).collect();
    let versions = page.rows.iter();
    let versions = versions
        .filter_map(|row| version_row(&state, names, row))
        .collect();
    Ok(ListObjectVersionsOutput {
        name: Some(state.name.clone()),
        prefix: Some(names.write(input.prefix.as_deref().unwrap_or_default())),
        key_marker: Some(names.write(key_marker.as_deref().unwrap_or_default())),
        version_id_marker: Some(id_marker.clone().unwrap_or_default()),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(page.truncated),
        next_key_marker: names.write_some(next.as_ref().map(|(key, _)| key.as_str())),
        next_version_id_marker: next.map(|(_, id)| id),
        delete_markers: Some(markers),
        versions: Some(versions),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn page_size(state: &State, asked: Option<i32>) -> S3Result<usize> {
    state
        .page_size(asked)
        .ok_or_else(|| s3_error!(InvalidArgument, "max-keys must be a number of 0 or more"))
}

fn object_row(state: &State, names: Names, row: &Row<'_, &Stored>) -> Object {
    let object = row.what;
    Object {
        key: Some(names.write(row.key)),
        e_tag: Some(etag(state, object)),
        size: i64::try_from(state.told_length(row.key, object)).ok(),
        last_modified: Some(listed_time(state, row.version.at)),
        storage_class: Some(object.storage_class().to_owned().into()),
        checksum_algorithm: checksum_algorithms(object),
        checksum_type: object.checksum_type(),
        ..Default::default()
    }
}

fn version_row(
    state: &State,
    names: Names,
    row: &Row<'_, Option<&Stored>>,
) -> Option<ObjectVersion> {
    let object = row.what?;
    Some(ObjectVersion {
        key: Some(names.write(row.key)),
        version_id: Some(row.version.id.clone()),
        is_latest: Some(row.is_latest),
        e_tag: Some(etag(state, object)),
        size: i64::try_from(state.told_length(row.key, object)).ok(),
        last_modified: Some(listed_time(state, row.version.at)),
        storage_class: Some(object.storage_class().to_owned().into()),
        checksum_algorithm: checksum_algorithms(object),
        checksum_type: object.checksum_type(),
        ..Default::default()
    })
}

fn marker_row(state: &State, names: Names, row: &Row<'_, Option<&Stored>>) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(names.write(row.key)),
        version_id: Some(row.version.id.clone()),
        is_latest: Some(row.is_latest),
        last_modified: Some(listed_time(state, row.version.at)),
        ..Default::default()
    }
}

fn checksum_algorithms(object: &Stored) -> Option<Vec<ChecksumAlgorithm>> {
    let kind = object.options().checksum?;
    Some(vec![ChecksumAlgorithm::from_static(kind.as_str())])
}

/// The ETag that the bucket shows for `object`.
pub(super) fn etag(state: &State, object: &Stored) -> ETag {
    ETag::Strong(if state.faults.opaque_etags {
        opaque_etag(&object.etag)
    } else {
        object.etag.to_string()
    })
}

pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    SystemTime::from(at).into()
}

fn listed_time(state: &State, at: Timestamp) -> dto::Timestamp {
    time(if state.faults.milliseconds {
        at
    } else {
        whole_seconds(at)
    })
}

/// The resolution of the `Last-Modified` header.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
