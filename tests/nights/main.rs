//! What a pull means, night by night, through the library: promises P2 (write-once at home), P4
//! (`latest/` never gets worse) and P5 (everything strange is said, and stays said).

#[path = "../support/mod.rs"]
mod support;

mod evidence;
mod gone;
mod listings;
mod places;
mod random;
mod replaced;
