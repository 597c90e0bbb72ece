//! The parent's side of a fork server: a process that forks workers on request.
//!
//! A request goes to the server as one message with the new worker's control socket. On that socket the server sends
//! the worker's process id and pidfd, and the worker its own frames. Only the ends of workers, which the server reaps
//! as their parent, come back on the socket for requests.
//!
//! One worker is forked ahead: the spare, which waits for its hello like every new worker. No call has it yet, and it
//! is no member of the context. A start that finds a spare needs no fork.

mod children;
pub(crate) mod launcher;
mod server;
mod server_cell;
mod spare;
