//! The demo: an embedded bucket and three nights' story.
pub mod bucket;
