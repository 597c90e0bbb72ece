//! The hello of a new process.

use crate::error::EncodeError;
use crate::job::codec;
use crate::job::trampoline::Callback;
use crate::role;
use crate::settings::Settings;
use crate::settings::log_forwarding::{LogForwarding, LogHooks};
use crate::sys::image::Image;
use crate::sys::signals;
use crate::wire::frame::{self, Kind};
use crate::wire::hello::{Enclosed, Hello, Inherited, Logs, Role};

/// For a worker, as a frame.
pub(crate) fn of_worker(
    settings: &Settings,
    shared_memory: bool,
    inherited: Option<Inherited>,
) -> Result<Vec<u8>, EncodeError> {
    let logs = settings.log_forwarding.as_ref().map(logs).transpose()?;
    pack(Role::Worker(Enclosed { inherited, has_state: settings.state.is_some(), logs, shared_memory }), settings)
}

/// For a fork server, as a frame.
pub(crate) fn of_fork_server(settings: &Settings) -> Result<Vec<u8>, EncodeError> {
    pack(Role::ForkServer, settings)
}

fn pack(role: Role, settings: &Settings) -> Result<Vec<u8>, EncodeError> {
    let hello = Hello {
        build: Image::current().build(),
        depth: role::depth() + 1,
        ignored_signals: signals::ignored(),
        role,
        settings: settings.clone(),
    };
    let mut frame = frame::begin();
    codec::encode_own(&hello, &mut frame)?;
    frame::finish(Kind::Hello, &mut frame);
    Ok(frame)
}

fn logs(forwarding: &LogForwarding) -> Result<Logs, EncodeError> {
    let LogHooks { before_init, after_init, level_changed } = forwarding.forwarder().hooks();
    Ok(Logs {
        before_init: Callback::of(before_init)?,
        after_init: Callback::of(after_init)?,
        level_changed: Callback::of(level_changed)?,
        level: forwarding.forwarder().level(),
    })
}
