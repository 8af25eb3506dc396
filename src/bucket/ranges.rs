//! A large object in ordered, bounded, parallel ranges.
//!
//! Each range is fetched whole into memory by a task of its own and handed out in order; no more
//! than `ranges_at_once` exist at a time, which bounds the memory. Each answer must repeat the
//! first one's ETag, version id, last-modified time and total, or the download begins again.

use super::blank::name_of;
use super::client::Bucket;
use super::download::{Body, First, if_match};
use super::failure::Failure;
use crate::error::{Error, Kind};
use crate::object::{Identity, ObjectKey};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The ranges of one object.
#[derive(Debug)]
pub(super) struct Ranges {
    job: Arc<Job>,
    under_way: VecDeque<Task>,
    next: u64,
}

#[derive(Debug)]
struct Job {
    bucket: Bucket,
    key: ObjectKey,
    identity: Identity,
    first: First,
}

/// A range's task; ended when the download is dropped.
#[derive(Debug)]
struct Task(JoinHandle<Result<Vec<u8>, Failure>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ranges {
    pub(super) fn new(bucket: &Bucket, key: &ObjectKey, identity: &Identity, first: First) -> Self {
        Self {
            job: Arc::new(Job {
                bucket: bucket.clone(),
                key: key.clone(),
                identity: identity.clone(),
                first,
            }),
            under_way: VecDeque::new(),
            next: 0,
        }
    }

    pub(super) fn skip_to(&mut self, offset: u64) -> bool {
        if self.next > 0 {
            return false;
        }
        self.next = offset;
        true
    }

    /// The next range's bytes, or nothing after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let tuning = self.job.bucket.tuning.clone();
        let size = self.job.identity.size;
        while self.under_way.len() < tuning.ranges_at_once.max(1) && self.next < size {
            let end = size.min(self.next + tuning.range.max(1));
            let (job, start) = (self.job.clone(), self.next);
            self.under_way.push_back(Task(tokio::spawn(
                async move { job.fetch(start, end).await },
            )));
            self.next = end;
        }
        let Some(task) = self.under_way.front_mut() else {
            return Ok(None);
        };
        let fetched = (&mut task.0).await.unwrap_or_else(|e| {
            let what = "a range's task ended by itself";
            Err(Failure::Broken(Error::new(Kind::Run, what).because(e)))
        });
        self.under_way.pop_front();
        fetched.map(Some)
    }
}

impl Job {
    /// Bytes `[start, end)`, begun again where they broke off.
    async fn fetch(&self, start: u64, end: u64) -> Result<Vec<u8>, Failure> {
        let tuning = &self.bucket.tuning;
        let mut bytes = Vec::with_capacity(usize::try_from(end - start).unwrap_or_default());
        let mut tries = 1;
        loop {
            let had = bytes.len();
            match self.fill(start, end, &mut bytes).await {
                Ok(()) => return Ok(bytes),
                // What brought bytes was no wasted try; a drop now and then would go on for ever.
                Err(Failure::Broken(_)) if (bytes.len() - had) as u64 >= tuning.range / 16 => {
                    tries = 1;
                }
                Err(Failure::Broken(error)) if tries < tuning.attempts => {
                    log::debug!("{}: {error}; trying again", self.key);
                    tries += 1;
                }
                Err(Failure::Broken(error)) => return Err(Failure::Passing(error)),
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(tuning.wait_before(tries)).await;
        }
    }

    /// One request for what is still missing of `[start, end)`.
    async fn fill(&self, start: u64, end: u64, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let from = start + bytes.len() as u64;
        let got = self
            .bucket
            .client
            .get_object()
            .bucket(&*self.bucket.name)
            .key(name_of(&self.key))
            .set_version_id(self.bucket.version_of(&self.identity))
            .set_if_match(if_match(&self.identity))
            .range(format!("bytes={from}-{}", end - 1))
            .send()
            .await
            .map_err(|e| self.bucket.failure(self.bucket.reading(), e))?;
        self.compare(&got, from, end)?;
        let wanted = usize::try_from(end - start).unwrap_or_default();
        let mut body = Body::new(&self.bucket, got.body);
        while let Some(chunk) = body.next().await? {
            // More than was asked for is not ours to keep.
            let missing = wanted.saturating_sub(bytes.len()).min(chunk.len());
            bytes.extend_from_slice(chunk.get(..missing).unwrap_or_default());
        }
        if bytes.len() < wanted {
            let what = format!("a range of {} came short", self.key);
            return Err(Failure::Broken(Error::new(Kind::Run, what)));
        }
        Ok(())
    }

    fn compare(&self, got: &GetObjectOutput, from: u64, end: u64) -> Result<(), Failure> {
        let (range, total) = got.content_range().map_or((None, None), content_range);
        let said = First {
            etag: got.e_tag().unwrap_or_default().to_owned(),
            version_id: got.version_id().map(str::to_owned),
            modified: got.last_modified().map(|at| at.secs()),
            total: total.or(self.first.total),
        };
        if said != self.first {
            log::debug!("{}: {said:?} is not {:?}", self.key, self.first);
            return Err(Failure::Changed);
        }
        if range.is_some_and(|range| range == (from, end)) {
            return Ok(());
        }
        let what = format!(
            "{} was asked for bytes {from} to {end} of {} and sent others",
            self.bucket.endpoint, self.key
        );
        Err(Failure::Broken(Error::new(Kind::Run, what)))
    }
}

/// `bytes A-B/TOTAL` (RFC 9110, 14.4) as `[A, B+1)` and the total, each where it is stated.
fn content_range(header: &str) -> (Option<(u64, u64)>, Option<u64>) {
    let Some((range, total)) = header
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split_once('/'))
    else {
        return (None, None);
    };
    let range = range
        .split_once('-')
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse::<u64>().ok()?.checked_add(1)?)));
    (range, total.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (header, range, total) in [
            ("bytes 0-9/100", Some((0, 10)), Some(100)),
            ("bytes 5-5/*", Some((5, 6)), None),
            ("bytes */100", None, Some(100)),
            ("items 0-9/100", None, None),
            ("bytes 0-18446744073709551615/1", None, Some(1)),
            ("", None, None),
        ] {
            assert_eq!(content_range(header), (range, total), "{header}");
        }
    }
}
