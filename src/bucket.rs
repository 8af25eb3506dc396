//! The source: listing and downloading, and no verb that writes. SDK types stop here.
//!
//! Promise P1 (read-only at the source) is held twice: no code here names an operation that
//! changes a bucket, and every request passes a gate that lets only GET and HEAD through.

mod blank;
mod client;
mod download;
mod failure;
mod lifecycle;
mod listing;
mod locks;
mod pace;
mod parts;
mod quirks;
mod ranges;
mod small;
mod span;
mod throttle;
mod versions;

pub use client::{Bucket, Tuning};
pub use download::Download;
pub use failure::Failure;
pub use lifecycle::Rules;
pub use listing::{Listing, Page};
pub use locks::{Setting, Told};
pub use pace::{Floor, Pace};
pub use parts::Ask;
pub use quirks::{QUIRKS, Quirk};
pub use small::Small;
pub use span::{Edge, Order, Sample, Span, SpanListing, Torn};
pub use versions::{VersionListing, Versioning};
