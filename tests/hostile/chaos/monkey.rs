//! Kills, stops and resumes workers and fork servers from outside, at random.

use fastrand::Rng;
use offproc::Limiter;
use offproc_tests::process::{self, Family};
use rustix::process::{Signal, pidfd_send_signal};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What it has done in a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deeds {
    /// The processes it has killed; a number may be another's by now.
    pub(crate) killed: HashSet<u32>,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    /// Fork servers killed or stopped.
    pub(crate) servers: u64,
}

#[derive(Debug)]
pub(crate) struct Monkey {
    stop: Arc<AtomicBool>,
    deeds: Arc<Mutex<Deeds>>,
    thread: JoinHandle<()>,
}

struct Stopped {
    pid: u32,
    process: OwnedFd,
    until: Instant,
    kill: bool,
}

impl Monkey {
    pub(crate) fn let_loose(mut rng: Rng, limiter: Limiter) -> Self {
        let (stop, deeds) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Deeds::default())));
        let thread = std::thread::spawn({
            let (stop, deeds) = (Arc::clone(&stop), Arc::clone(&deeds));
            move || {
                let mut stopped = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    for pid in Family::now().pids() {
                        if rng.u32(0..6) > 0 {
                            continue;
                        }
                        act(&mut rng, pid, &mut stopped, &deeds);
                        std::thread::sleep(Duration::from_micros(rng.u64(0..10_000)));
                        resume(&mut stopped, &deeds, Some(Instant::now()));
                    }
                    limiter.set_total_tokens(rng.usize(2..10));
                    std::thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
                    resume(&mut stopped, &deeds, Some(Instant::now()));
                }
                resume(&mut stopped, &deeds, None);
            }
        });
        Self { stop, deeds, thread }
    }

    /// Ends the monkey, and resumes all that it has stopped.
    pub(crate) fn catch(self) -> Deeds {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("a thread that does not panic");
        self.deeds.lock().expect("no panics").clone()
    }
}

fn act(rng: &mut Rng, pid: u32, stopped: &mut Vec<Stopped>, deeds: &Mutex<Deeds>) {
    let Some(process) = process::open_relative(pid) else { return };
    let is_server = process::name(pid).is_some_and(|name| name == "offproc-forker");
    // Fork servers are few, and each death costs all starts of their context.
    if is_server && rng.u32(0..4) > 0 {
        return;
    }
    let kill = rng.bool();
    let mut deeds = deeds.lock().expect("no panics");
    deeds.servers += u64::from(is_server);
    if kill {
        strike(pid, &process, &mut deeds);
    } else {
        let _ = pidfd_send_signal(&process, Signal::STOP);
        deeds.stops += 1;
        let until = Instant::now() + Duration::from_micros(rng.u64(0..20_000));
        stopped.push(Stopped { pid, process, until, kill: rng.bool() });
    }
}

fn strike(pid: u32, process: &OwnedFd, deeds: &mut Deeds) {
    // Noted before the kill, so that a caller that gets the death finds it here.
    deeds.killed.insert(pid);
    if pidfd_send_signal(process, Signal::KILL).is_ok() {
        deeds.kills += 1;
    }
}

/// Ends the stops that are due by then; all of them without a time.
fn resume(stopped: &mut Vec<Stopped>, deeds: &Mutex<Deeds>, now: Option<Instant>) {
    stopped.retain(|Stopped { pid, process, until, kill }| {
        if now.is_some_and(|now| now < *until) {
            return true;
        }
        if *kill {
            strike(*pid, process, &mut deeds.lock().expect("no panics"));
        }
        let _ = pidfd_send_signal(process, Signal::CONT);
        false
    });
}
