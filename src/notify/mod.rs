//! Mail that sekisho sends by itself: notices of what was held back, and released messages.
//!
//! | file | what |
//! | --- | --- |
//! | `post` | who is told of what and when; a thread of its own beside the mail flow |
//! | `letter` | the mail that tells it |
//! | `cleaned` | a stored message without what policy would act on |
//! | `release` | stored messages to their recipients |
//! | `smtp` | one message to one recipient |
//! | `wire` | the connection for that |

mod cleaned;
mod letter;
mod post;
mod release;
mod smtp;
mod wire;

pub use cleaned::Cleaning;
pub use post::Post;
pub use release::{Parting, What, release};
