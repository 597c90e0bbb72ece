use super::bytes::Bytes;
use crate::sys::fault_codes;
use crate::sys::faults::{Record, UNKNOWN};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kernel's details of the signal that killed a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault(pub(crate) Record);

impl Fault {
    /// The signal's code, `si_code`.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.0.code
    }

    /// The name of the code, such as `SEGV_MAPERR` (there is nothing at that address) or `SI_USER` (sent by `kill`).
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        fault_codes::code_name(self.0.signal, self.0.code)
    }

    /// The address of the memory, or for SIGILL, SIGFPE, SIGTRAP and SIGSYS of the instruction. `None` where the kernel
    /// does not report one, and for a signal that a process sent.
    #[must_use]
    pub fn address(&self) -> Option<u64> {
        (!self.is_sent() && fault_codes::has_address(self.0.code)).then_some(self.0.address)
    }

    /// The process that sent the signal; `None` where it was a fault.
    #[must_use]
    pub fn sender(&self) -> Option<u32> {
        u32::try_from(self.0.number).ok().filter(|_| self.is_sent())
    }

    /// For SIGSYS: the number of the system call that a filter has refused.
    #[must_use]
    pub fn system_call(&self) -> Option<i32> {
        (fault_codes::is_refused_call(self.0.signal) && !self.is_sent()).then_some(self.0.number)
    }

    /// Whether a stack has overflowed: the fault was an access of a thread beyond the end of its stack.
    #[must_use]
    pub fn is_stack_overflow(&self) -> bool {
        self.0.stack != 0
    }

    /// The limit of the stack that has overflowed, in bytes. `None` for the stack of a thread that a job has started.
    #[must_use]
    pub fn stack_size(&self) -> Option<u64> {
        Some(self.0.stack).filter(|size| self.is_stack_overflow() && *size != UNKNOWN)
    }

    fn is_sent(&self) -> bool {
        self.0.code <= 0
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stack_size() {
            Some(size) => write!(f, "its stack of {} has overflowed; ", Bytes(size))?,
            None if self.is_stack_overflow() => f.write_str("the stack of a thread has overflowed; ")?,
            None => {}
        }
        match self.code_name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "code {}", self.0.code)?,
        }
        match (self.sender(), self.system_call(), self.address()) {
            (Some(sender), _, _) => write!(f, ", sent by process {sender}"),
            (_, Some(call), _) => write!(f, ", system call {call}"),
            (_, _, Some(address)) => write!(f, " at {address:#x}"),
            _ => Ok(()),
        }
    }
}
