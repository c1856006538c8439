//! Mail that sekisho sends by itself: notices of what was held back, and released messages.
//!
//! | file | what |
//! | --- | --- |
//! | `post` | who is told of what and when; a thread of its own beside the mail flow |
//! | `letter` | the mail that tells it |
//! | `release` | stored messages to their recipients |
//! | `smtp` | one message to one recipient |

mod letter;
mod post;
mod release;
mod smtp;

pub use post::Post;
pub use release::{Parting, release};
