//! SIGTERM, and Ctrl+C: what is under way is answered, and nothing is left.

use std::fs;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use image::ImageFormat;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::pictures::waves;
use crate::under_test::{PATIENCE, Service};

#[test]
fn sigterm_drains() {
    drains("sigterm", |service| service.signal(Signal::TERM));
}

/// As service managers do that end all processes of a service.
#[test]
fn sigterm_to_all_processes_drains() {
    drains("sigterm-to-all", |service| service.signal_all(Signal::TERM));
}

#[test]
fn ctrl_c_drains() {
    drains("ctrl-c", |service| service.signal_all(Signal::INT));
}

fn drains(name: &str, end: impl Fn(&Service)) {
    let service = Service::start(&["--hostile", "--deadline=600000", "--drain=600", "--workers=2", "--queue=9"]);
    let gates = [Gate::new(&format!("{name}-1")), Gate::new(&format!("{name}-2"))];
    let picture = waves(64, 64, ImageFormat::Png);
    thread::scope(|scope| {
        let held = gates.each_ref().map(|gate| scope.spawn(|| service.post("/hostile/read", gate.path())));
        service.status_where(|status| status["workers"]["running"] == 2);
        let waiting = [(); 3].map(|()| scope.spawn(|| service.post("/thumbnail", &picture)));
        service.status_where(|status| status["queue"]["waiting"] == 3);

        end(&service);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(service.address()).is_ok() {
            assert!(Instant::now() < deadline, "it still accepts connections");
            thread::sleep(Duration::from_millis(2));
        }
        // Nothing of what was under way has been answered: two jobs hold all workers.
        gates.iter().for_each(Gate::open);
        for answer in held.into_iter().chain(waiting).map(|asked| asked.join().expect("an answer")) {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
    let ended = service.wait();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn what_outlives_the_drain_is_answered_too() {
    let service = Service::start(&["--hostile", "--deadline=600000", "--drain=0", "--workers=1", "--queue=9"]);
    thread::scope(|scope| {
        let asked = [(); 2].map(|()| scope.spawn(|| service.post("/hostile/endless", b"")));
        service.status_where(|status| status["workers"]["running"] == 1 && status["queue"]["waiting"] == 1);
        service.signal(Signal::TERM);
        for answer in asked.map(|asked| asked.join().expect("an answer")) {
            assert_eq!((answer.status, &answer.json()["outcome"]), (503, &"closing".into()), "{}", answer.text());
        }
    });
    let ended = service.wait();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn a_second_signal_ends_the_drain() {
    let service = Service::start(&["--hostile", "--deadline=600000", "--drain=600", "--workers=1"]);
    thread::scope(|scope| {
        let asked = scope.spawn(|| service.post("/hostile/endless", b""));
        service.status_where(|status| status["workers"]["running"] == 1);
        // The stream of events ends when the service has heard the first.
        let events = service.events();
        service.signal(Signal::TERM);
        events.for_each(drop);
        service.signal(Signal::TERM);
        assert_eq!(asked.join().expect("an answer").status, 503);
    });
    let ended = service.wait();
    assert!(ended.status.success(), "{ended:?}");
}

/// A FIFO: a job that reads it ends when the gate opens.
struct Gate(PathBuf);

impl Gate {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("offproc-service-{}-{name}", std::process::id()));
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
        Self(path)
    }

    fn path(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }

    /// Waits for the job, which has to be there: it is not if its worker has been killed.
    fn open(&self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = rustix::fs::open(&self.0, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()) {
            assert!(error == Errno::NXIO && Instant::now() < deadline, "no job reads {}: {error}", self.0.display());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
