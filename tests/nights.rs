//! What a pull means, night by night, through the library: promises P2 (write-once at home), P4
//! (`latest/` never gets worse) and P5 (everything strange is said, and stays said).

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

#[path = "nights/beside.rs"]
mod beside;
#[path = "nights/claims.rs"]
mod claims;
#[path = "nights/classes.rs"]
mod classes;
#[path = "nights/content.rs"]
mod content;
#[path = "nights/cut.rs"]
mod cut;
#[path = "nights/deleted.rs"]
mod deleted;
#[path = "nights/dry_run.rs"]
mod dry_run;
#[path = "nights/evidence.rs"]
mod evidence;
#[path = "nights/flood.rs"]
mod flood;
#[path = "nights/gone.rs"]
mod gone;
#[path = "nights/lifecycle.rs"]
mod lifecycle;
#[path = "nights/limits.rs"]
mod limits;
#[path = "nights/listings.rs"]
mod listings;
#[path = "nights/locks.rs"]
mod locks;
#[path = "nights/parts.rs"]
mod parts;
#[path = "nights/places.rs"]
mod places;
#[path = "nights/purged.rs"]
mod purged;
#[path = "nights/quirks.rs"]
mod quirks;
#[path = "nights/random.rs"]
mod random;
#[path = "nights/replaced.rs"]
mod replaced;
#[path = "nights/rhythm.rs"]
mod rhythm;
#[path = "nights/series.rs"]
mod series;
#[path = "nights/side_by_side.rs"]
mod side_by_side;
#[path = "nights/signed.rs"]
mod signed;
#[path = "nights/versions.rs"]
mod versions;
