//! Exit statuses in words. A process that a fault has ended has the fault's `NTSTATUS` as its exit code.

use std::fmt;
use std::os::windows::process::ExitStatusExt;
use std::process::ExitStatus;

/// The exit code of a process that offproc has ended: "Off.", which no program is likely to exit with.
pub(crate) const KILLED: u32 = 0x4f66_662e;

/// "exited with code 42", or "was ended by an access violation (0xc0000005)".
pub(crate) fn describe(status: ExitStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let code = number(status);
    match fault(code) {
        _ if code == KILLED => f.write_str("was killed"),
        Some(name) => write!(f, "was ended by {name} ({code:#x})"),
        // An error of the system, whose numbers are known in hexadecimal.
        None if code >= 0x8000_0000 => write!(f, "exited with code {code:#x}"),
        None => write!(f, "exited with code {code}"),
    }
}

/// What a job that ends its process by itself does not pass as an exit code.
fn fault(code: u32) -> Option<&'static str> {
    Some(match code {
        0x8000_0003 => "a breakpoint",
        0x8000_0004 => "a single step",
        0xc000_0005 => "an access violation",
        0xc000_0006 => "an error of a file that is mapped",
        0xc000_0017 => "a lack of memory",
        0xc000_001d => "an illegal instruction",
        0xc000_0025 => "an exception that was not to be continued",
        0xc000_008c => "an index out of bounds",
        0xc000_008e => "a division of a floating-point number by zero",
        0xc000_0094 => "a division of an integer by zero",
        0xc000_0095 => "an overflow of an integer",
        0xc000_0096 => "a privileged instruction",
        0xc000_00fd => "an overflow of its stack",
        0xc000_0135 => "a DLL that was not found",
        0xc000_0139 => "a function that was not found in a DLL",
        0xc000_013a => "Ctrl+C",
        0xc000_0142 => "a DLL that could not be initialised",
        0xc000_0374 => "a heap that was overwritten",
        0xc000_0409 => "an abort, or a stack that was overwritten",
        _ => return None,
    })
}

fn number(status: ExitStatus) -> u32 {
    status.code().unwrap_or_default().cast_unsigned()
}

/// True for one that offproc has killed, and for one whose exit code is the same.
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    number(status) == KILLED
}

/// There are no signals.
pub(crate) fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// The system does not report it.
pub(crate) fn core_dumped(_: ExitStatus) -> bool {
    false
}

/// A system call that is forbidden is an error of the call here.
pub(crate) fn is_bad_system_call(_: ExitStatus) -> bool {
    false
}

/// In the system's encoding.
pub(crate) fn to_raw(status: ExitStatus) -> i32 {
    status.code().unwrap_or_default()
}

/// From the system's encoding.
pub(crate) fn from_raw(code: i32) -> ExitStatus {
    ExitStatus::from_raw(code.cast_unsigned())
}

/// True for an access violation.
pub(crate) fn is_bad_access(status: ExitStatus) -> bool {
    number(status) == 0xc000_0005
}

/// True for Ctrl+C.
pub(crate) fn is_interrupt(status: ExitStatus) -> bool {
    number(status) == 0xc000_013a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_its_name_and_an_exit_code_its_number() {
        struct Said(u32);
        impl fmt::Display for Said {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                describe(ExitStatus::from_raw(self.0), f)
            }
        }
        assert_eq!(Said(42).to_string(), "exited with code 42");
        assert_eq!(Said(0xc000_0005).to_string(), "was ended by an access violation (0xc0000005)");
        assert_eq!(Said(0x8007_0005).to_string(), "exited with code 0x80070005");
        assert_eq!(Said(KILLED).to_string(), "was killed");
        assert_eq!(from_raw(to_raw(ExitStatus::from_raw(KILLED))), ExitStatus::from_raw(KILLED));
    }
}
