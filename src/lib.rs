//! offsite
pub mod error;
pub mod object;
