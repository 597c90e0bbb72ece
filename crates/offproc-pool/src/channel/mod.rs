//! Channels of items between a job and its caller, or any two processes.

mod error;
mod iter;
mod make;
mod receiver;
mod receiving;
mod sender;
mod sending;
mod sink;
mod stream;

pub use error::{RecvError, SendError, TrySendError};
pub use iter::ReceiverIter;
pub use make::channel;
pub use receiver::Receiver;
pub use receiving::Receiving;
pub use sender::Sender;
pub use sending::Sending;
