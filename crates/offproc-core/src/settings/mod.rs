//! The settings of workers. Each is declared in one place, in the file of its group, and each that a worker acts on
//! goes to it in its hello.

#[macro_use]
mod table;

mod check;
pub(crate) mod diagnostics;
mod function;
pub(crate) mod lifetime;
pub(crate) mod limits;
pub(crate) mod log_forwarding;
pub(crate) mod resource;
pub(crate) mod retirement;
pub(crate) mod shutdown;
pub(crate) mod signals;
pub(crate) mod start;
pub(crate) mod state_maker;
pub(crate) mod surroundings;
pub(crate) mod transport;

use diagnostics::Diagnostics;
use lifetime::Lifetime;
use limits::Limits;
use log_forwarding::LogForwarding;
use retirement::Retirement;
use serde::{Deserialize, Serialize};
use shutdown::Shutdown;
use start::Start;
use state_maker::StateMaker;
use surroundings::Surroundings;
use transport::TransportSettings;

/// The settings that reach a worker, and those for starting one.
#[allow(missing_docs, reason = "the groups, by their names")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    pub lifetime: Lifetime,
    pub start: Start,
    pub retirement: Retirement,
    pub surroundings: Surroundings,
    pub limits: Limits,
    pub transport: TransportSettings,
    pub diagnostics: Diagnostics,
    pub shutdown: Shutdown,
    /// Of the one worker that they are for.
    pub index: Option<usize>,
    /// How it makes its state. The job for that follows the hello.
    #[serde(skip)]
    pub state: Option<StateMaker>,
    /// Where what workers log goes.
    #[serde(skip)]
    pub log_forwarding: Option<LogForwarding>,
}
