use crate::kernel::Pidfd;
use crate::kernel::errno::Errno;

pub(crate) fn kill(leader: &Pidfd) -> Result<(), Errno> {
    leader.kill_group()
}
