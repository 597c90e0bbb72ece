use crate::kernel::Pidfd;
use crate::kernel::errno::Errno;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    status: i32,
    pub(crate) usage: Usage,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) memory: u64,
}

impl Reaped {
    pub(crate) fn status(&self) -> ExitStatus {
        ExitStatus::from_raw(self.status)
    }
}

pub(crate) fn reap(pidfd: &Pidfd) -> Result<Option<Reaped>, Errno> {
    let status = pidfd.wait(true)?;
    Ok(status.map(|status| Reaped { status, usage: Usage { memory: 0 } }))
}
