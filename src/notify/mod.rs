//! Mail that sekisho sends by itself: released messages.

mod release;
mod smtp;

pub use release::{Parting, release};
