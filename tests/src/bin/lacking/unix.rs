//! A program that lacks what offproc needs, descriptors, threads or a system call, when it calls and closes; or is a
//! fork of itself. Its arguments say what is lacking, from which moment on, who polls the calls, and the kind of
//! worker.

use futures::executor::block_on;
use offproc::{Error, WorkerContext, WorkerContextBuilder, WorkerType, cache_scope, run_sync, shutdown};
use offproc_tests::refusal::refuse;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How many calls fail, with the pauses between them.
const CALLS: u32 = 4;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, moment, caller, kind] = &arguments[..] else { panic!("four arguments, please") };
    // Wherever it is, and even if it is caught.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::abort();
    }));
    let program = Program { caller: Caller::named(caller), kind: kind.clone() };
    let lack = Lack::named(what);
    let used = program.builder().retire_after_jobs(1..=1).open().expect("valid settings");
    let unused = program.builder().open().expect("valid settings");
    if moment == "later" {
        program.call(&used).expect("all there is to have");
    }
    match lack {
        Lack::Nothing => program.is_forked(moment, [used, unused]),
        lack => program.lacks(lack, [used, unused]),
    }
}

struct Program {
    caller: Caller,
    kind: String,
}

impl Program {
    fn builder(&self) -> WorkerContextBuilder {
        WorkerContext::builder().worker_type(match self.kind.as_str() {
            "spawn" => WorkerType::Spawn,
            "fork_server" => WorkerType::ForkServer,
            // SAFETY: jobs here need nothing that a thread could have locked.
            "fork" => unsafe { WorkerType::fork() },
            other => panic!("no kind of worker: {other}"),
        })
    }

    fn call(&self, context: &WorkerContext) -> Result<u32, Error> {
        let call = context.run_sync(|n: u32| n + 1, 1).time_limit(Duration::from_secs(20));
        match &self.caller {
            Caller::Wait => call.wait(),
            caller => caller.drive(call.into_future()),
        }
    }

    /// What there is not enough of is the error of a call, each time, and nothing for a close to wait for.
    fn lacks(&self, lack: Lack, [used, unused]: [WorkerContext; 2]) {
        lack.begin();
        let ended = |what: &str, call| ended(what, call, &lack);
        let mut reported: Vec<_> = (0..CALLS).map(|_| ended("call", self.call(&used))).collect();
        reported.push(ended("default context", self.caller.drive(run_sync(|n: u32| n + 1, 1).into_future())));
        let scope = cache_scope(self.builder(), async { run_sync(|n: u32| n + 1, 1).await });
        match self.caller.drive(scope) {
            Ok(call) => reported.push(ended("scope", call)),
            Err(error) => println!("the scope: {error}"),
        }
        self.close(unused.close());
        self.close(self.builder().open().expect("valid settings").close_within(Duration::from_millis(1)));
        self.close(self.builder().open().expect("valid settings").close_within(Duration::MAX));
        let killed = self.builder().open().expect("valid settings");
        killed.kill();
        self.close(killed.close());
        let _ = self.caller.drive(used.close());
        let _ = self.caller.drive(shutdown(Duration::from_secs(1)));
        if lack.end() {
            let context = self.builder().open().expect("valid settings");
            assert_eq!(self.call(&context).expect("there is room again"), 2);
            self.close(context.close());
            let again = cache_scope(self.builder(), async { run_sync(|n: u32| n + 1, 1).await });
            assert_eq!(self.caller.drive(again).expect("a clean end").expect("there is room again"), 2);
        }
        println!("{}", if reported.iter().all(|is_result| *is_result) { "results" } else { "errors" });
    }

    fn close(&self, close: impl Future<Output = Result<(), offproc::BrokenWorkerError>>) {
        self.caller.drive(close).expect("nothing to wait for");
    }

    /// What `daemonize` does: the program goes on in a fork.
    fn is_forked(&self, moment: &str, contexts: [WorkerContext; 2]) {
        // SAFETY: no other thread of the program holds a lock that the child takes.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let [used, unused] = &contexts;
            let new = self.builder().open().expect("valid settings");
            for context in [used, unused, &new] {
                match (moment, self.call(context)) {
                    ("first", Ok(2)) => {}
                    ("later", Err(Error::Spawn(error))) if error.to_string().contains("fork") => {}
                    (_, other) => panic!("{other:?}"),
                }
            }
            let scope = cache_scope(self.builder(), async { run_sync(|n: u32| n + 1, 1).await });
            let scoped = self.caller.drive(scope).expect("a clean end");
            assert_eq!(scoped.is_ok(), moment == "first", "{scoped:?}");
            self.close(used.close());
            self.close(unused.close_within(Duration::from_secs(20)));
            unused.close().wait().expect("nothing to wait for");
            new.kill();
            assert_eq!(self.caller.drive(new.close()).is_ok(), moment == "later");
            new.close().wait().expect("nothing to wait for");
            self.caller.drive(shutdown(Duration::from_secs(10))).expect("nothing to wait for");
            // With all the work at exit of a program.
            std::process::exit(0);
        }
        let mut status = 0;
        // SAFETY: a place for a number.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "how the fork ended");
        for context in contexts {
            assert_eq!(self.call(&context).expect("the fork has done no harm"), 2);
            self.close(context.close());
        }
        println!("results");
    }
}

/// True for a result.
fn ended(what: &str, call: Result<u32, Error>, lack: &Lack) -> bool {
    match call {
        Ok(2) => true,
        Err(Error::Spawn(error)) => {
            println!("the {what}: {error}");
            false
        }
        // The job runs, and nothing can wait for its answer.
        Err(Error::BrokenWorker(error)) if matches!(lack, Lack::Call { number: libc::SYS_epoll_ctl, .. }) => {
            println!("the {what}: {error}");
            false
        }
        other => panic!("the {what}: {other:?}"),
    }
}

enum Caller {
    /// Made before anything is lacking.
    Tokio(Runtime),
    Foreign,
    Wait,
}

impl Caller {
    fn named(name: &str) -> Self {
        match name {
            "tokio" => Self::Tokio(Builder::new_current_thread().enable_all().build().expect("a runtime")),
            "foreign" => Self::Foreign,
            "wait" => Self::Wait,
            other => panic!("no caller: {other}"),
        }
    }

    fn drive<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Tokio(runtime) => runtime.block_on(future),
            Self::Foreign | Self::Wait => block_on(future),
        }
    }
}

enum Lack {
    Nothing,
    Limit(Resource, u64),
    Call {
        number: libc::c_long,
        error: i32,
    },
    /// No process and no thread, whichever user the program runs as.
    Clones,
}

impl Lack {
    fn named(name: &str) -> Self {
        let (what, how) = name.split_once('=').unwrap_or((name, ""));
        let error = || match how {
            "EPERM" => libc::EPERM,
            "ENOSYS" => libc::ENOSYS,
            other => panic!("no such error: {other}"),
        };
        match what {
            "nothing" => Self::Nothing,
            "descriptors" => Self::Limit(Resource::Nofile, how.parse().expect("a number")),
            "processes" => {
                become_another_user();
                Self::Limit(Resource::Nproc, how.parse().expect("a number"))
            }
            "clones" => Self::Clones,
            "epoll_create1" => Self::Call { number: libc::SYS_epoll_create1, error: error() },
            "epoll_ctl" => Self::Call { number: libc::SYS_epoll_ctl, error: error() },
            "eventfd2" => Self::Call { number: libc::SYS_eventfd2, error: error() },
            "timerfd_create" => Self::Call { number: libc::SYS_timerfd_create, error: error() },
            "pidfd_open" => Self::Call { number: libc::SYS_pidfd_open, error: error() },
            other => panic!("nothing like that: {other}"),
        }
    }

    fn begin(&self) {
        match *self {
            Self::Nothing => {}
            Self::Limit(resource, most) => limit(resource, Some(most)),
            Self::Call { number, error } => refuse(number, error),
            Self::Clones => {
                // As under a limit on processes; a C library that has the newer call is to try the older one.
                refuse(libc::SYS_clone3, libc::ENOSYS);
                refuse(libc::SYS_clone, libc::EAGAIN);
            }
        }
    }

    /// False where it stays.
    fn end(&self) -> bool {
        if let Self::Limit(resource, _) = *self {
            limit(resource, None);
        }
        matches!(self, Self::Limit(..))
    }
}

fn limit(resource: Resource, most: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: most.or(maximum), maximum }).expect("less than the maximum is allowed");
}

/// Becomes a user to whom the limit on processes applies, unlike root, and who has no other processes that count.
fn become_another_user() {
    let user = 100_000 + std::process::id();
    // SAFETY: plain system calls; the last one keeps `/proc/self` readable.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
            assert_eq!(libc::setresgid(user, user, user), 0);
            assert_eq!(libc::setresuid(user, user, user), 0);
            assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 1), 0);
        }
    }
}
