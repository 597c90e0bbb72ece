//! Starting a process: in its job from its first moment on (`PROC_THREAD_ATTRIBUTE_JOB_LIST`), so that there is none
//! which its parent might not live to put there. std starts none so.

use super::child::Terms;
use super::environment;
use super::lifeline::ParentEnd;
use super::process::Started;
use super::win32::console::{self, Standard};
use super::win32::create::{self, New, inheritable};
use super::win32::{pipe, socket};
use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsHandle;
use std::process::Command;

/// Runs `start`, on this thread: a process is no thread's child.
pub(crate) fn on_a_passing_thread<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    start()
}

/// Starts the program of the command, with its environment, and the arguments of this process.
pub(crate) fn start(command: &mut Command, lifeline: &ParentEnd, terms: &Terms) -> io::Result<Started> {
    let program = with_zero(command.get_program())?;
    let environment = environment_block(command)?;
    let (theirs, stdin) = pipe::pipe(socket::WORDS as u32)?;
    let ours = |which| console::standard(which).map(inheritable).transpose();
    let new = New {
        program: &program,
        environment: &environment,
        standard: [Some(inheritable(theirs.as_handle())?), ours(Standard::Output)?, ours(Standard::Error)?],
        job: lifeline.job_for(terms)?,
        leads_group: terms.leads_group,
        inherits_all: terms.inherits_descriptors,
    };
    let (process, pid) = create::create(&new)?;
    Ok(Started { process, pid, stdin })
}

/// The program's environment with the command's changes, in the order that the system wants.
fn environment_block(command: &Command) -> io::Result<Vec<u16>> {
    let own: Vec<_> = std::env::vars_os().collect();
    let changes: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned))).collect();
    let own = own.iter().map(|(name, value)| (name, Some(value)));
    let changes = changes.iter().map(|(name, value)| (name, value.as_ref()));
    let mut block = Vec::new();
    for (name, value) in environment::by_name(own.chain(changes)) {
        let Some(value) = value else { continue };
        let mut pair = name;
        pair.push("=");
        pair.push(value);
        block.extend(with_zero(&pair)?);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

fn with_zero(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut text: Vec<u16> = text.encode_wide().collect();
    if text.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a path, or a variable of the environment, has a zero byte",
        ));
    }
    text.push(0);
    Ok(text)
}
