//! Which signals reach workers.

use serde::{Deserialize, Serialize};

/// Which signals reach the workers of a context.
///
/// A worker always ignores SIGINT, which a terminal sends to the whole foreground group at Ctrl+C, so that the program
/// alone decides what to do. Every other signal is as it was when the program started: ignored if it was ignored then,
/// like SIGHUP under `nohup`, and otherwise at its default, whatever the program has changed since. `init` may change
/// that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Signals {
    /// Workers stay in the program's process group.
    #[default]
    Inherit,
    /// Workers ignore SIGTERM too. For services whose manager sends it to all processes of the service: the program
    /// gets to end its work, and its workers with it.
    IgnoreTerminate,
    /// Each worker is in a process group of its own: what a terminal or a shell sends to the program's group (SIGINT,
    /// SIGTSTP, SIGHUP) does not reach it.
    ///
    /// It is then in the background of its terminal. Reading from the terminal is an error there (EIO), for it and for
    /// processes that it starts, and does not stop them: they ignore SIGTTIN and SIGTTOU.
    OwnGroup,
}
