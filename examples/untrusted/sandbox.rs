//! What a worker gives up before its first job: files, the network, other processes. What it has open, it keeps.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

static LANDLOCK: OnceLock<String> = OnceLock::new();

/// For `WorkerContextBuilder::sandbox`. A panic here means that no job runs in this worker.
pub(crate) fn lock_down() {
    let landlock = match landlock().map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => "landlock and seccomp".to_owned(),
        Ok(RulesetStatus::PartiallyEnforced) => "landlock, as far as this kernel has it, and seccomp".to_owned(),
        Ok(RulesetStatus::NotEnforced) => "seccomp alone (this kernel has no landlock)".to_owned(),
        Err(error) => format!("seccomp alone ({error})"),
    };
    let _ = LANDLOCK.set(landlock);
    seccomp().expect("a worker without its seccomp filter runs nothing");
}

/// What this worker is held by, in words.
pub(crate) fn description() -> String {
    LANDLOCK.get().cloned().unwrap_or_else(|| "nothing".to_owned())
}

/// No file, no port, no socket of another process, no signal to one: all that landlock knows, and nothing excepted.
fn landlock() -> Result<RestrictionStatus, RulesetError> {
    let newest = ABI::V6;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .restrict_self()
}

/// Two filters, the harsher of which decides: what no decoder has any business with kills, and what else is not known
/// to be needed fails with EPERM.
fn seccomp() -> Result<(), Box<dyn std::error::Error>> {
    let always = |calls: &[i64]| calls.iter().map(|call| (*call, Vec::new())).collect::<BTreeMap<_, _>>();
    let mut allowed = always(ALLOWED);
    // A descriptor can be made to send signals to any process: `F_SETOWN`, `F_SETSIG`.
    let harmless =
        [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC, libc::F_ADD_SEALS, libc::F_GET_SEALS];
    allowed.insert(libc::SYS_fcntl, harmless.iter().map(|command| when(1, *command)).collect::<Result<_, _>>()?);
    // To abort is to send oneself a signal.
    let own = i32::try_from(std::process::id())?;
    allowed.insert(libc::SYS_tgkill, vec![when(0, own)?]);
    install(always(DEADLY), SeccompAction::KillProcess, SeccompAction::Allow)?;
    // Last, as it allows no filter after it.
    install(allowed, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))
}

fn when(argument: u8, is: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let value = u64::from(is.cast_unsigned());
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
}

fn install(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    listed: SeccompAction,
    others: SeccompAction,
) -> Result<(), Box<dyn std::error::Error>> {
    let filter = SeccompFilter::new(rules, others, listed, std::env::consts::ARCH.try_into()?)?;
    Ok(seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?)
}

/// What the worker and its allocator need: the list of offproc's reference, and no more.
const ALLOWED: &[i64] = &[
    // Waiting, the time, and the choice of a CPU.
    libc::SYS_futex,
    libc::SYS_ppoll,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_getcpu,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    // The connection, and what is printed.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_close,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_fstat,
    libc::SYS_ftruncate,
    libc::SYS_memfd_create,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    // Panics, aborts, and the end.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_newfstatat,
];

/// Files, sockets, processes.
const DEADLY: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_io_uring_setup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];
