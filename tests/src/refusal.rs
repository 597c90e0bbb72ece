//! System calls that fail, as a kernel without them or a sandbox has it.

/// From here on, a system call fails in this process and in those it starts.
///
/// # Panics
///
/// The system has no such filters.
pub fn refuse(call: libc::c_long, error: i32) {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, jump, ret) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    let number = u32::try_from(call).expect("a system call");
    let mut filter = [
        // The number of the call is what the data begins with.
        statement(load, 0, 0, 0),
        statement(jump, 0, 1, number),
        statement(ret, 0, 0, libc::SECCOMP_RET_ERRNO | error.cast_unsigned()),
        statement(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel reads the filter during the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}
