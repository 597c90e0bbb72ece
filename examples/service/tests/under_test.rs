//! The service, started for a test, and the check that it leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

/// An upper bound for what takes seconds on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Service {
    process: Child,
    group: Pid,
    log: Option<JoinHandle<Vec<String>>>,
    pub(crate) url: String,
    agent: Agent,
}

/// What a service has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// All lines of stderr.
    pub(crate) log: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Response<()>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Service {
    /// Starts it with these options, on a port that is free, and waits until it is ready.
    pub(crate) fn start(options: &[&str]) -> Self {
        // What the service leaves behind becomes a child of this process, which can then see it.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("Linux has subreapers");
        let mut process = Command::new(env!("CARGO_BIN_EXE_service"))
            .args(["--listen", "127.0.0.1:0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("the service starts");
        let group = Pid::from_child(&process);
        let stderr = BufReader::new(process.stderr.take().expect("a pipe"));
        let log = thread::spawn(move || stderr.split(b'\n').map(|line| lossy(line.expect("a pipe"))).collect());
        let mut url = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let service = Self { process, group, log: Some(log), url: url.trim().to_owned(), agent: config.build().into() };
        service.status_where(|status| status["phase"] == "ready");
        service
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.at(path)).call())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        answer(self.try_post(path, body))
    }

    pub(crate) fn try_post(&self, path: &str, body: &[u8]) -> Result<Response<ureq::Body>, ureq::Error> {
        self.agent.post(self.at(path)).send(body)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("an URL")
    }

    /// Server-sent events, as they come: name and data.
    pub(crate) fn events(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        let response = self.agent.get(self.at("/events")).call().expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
        std::iter::from_fn(move || {
            let field = |line: Option<String>, name: &str| line?.strip_prefix(name).map(str::to_owned);
            let name = field(lines.next(), "event: ")?;
            let data = field(lines.next(), "data: ")?;
            assert_eq!(lines.next()?, "", "an event has two lines here");
            Some((name, serde_json::from_str(&data).expect("JSON")))
        })
    }

    /// Waits for a status that is so, by the service's events.
    pub(crate) fn status_where(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        self.event_where("status", is_so)
    }

    pub(crate) fn event_where(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        for (_, data) in self.events().filter(|(event, _)| event == name) {
            if is_so(&data) {
                return data;
            }
            assert!(Instant::now() < deadline, "still not so: {data}");
            last = Some(data);
        }
        panic!("the events end with {last:?}")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.group, signal).expect("it runs");
    }

    /// As a terminal does by Ctrl+C: to the service and all that it has started.
    pub(crate) fn signal_all(&self, signal: Signal) {
        rustix::process::kill_process_group(self.group, signal).expect("it runs");
    }

    /// Ends it, and checks that it did so well.
    pub(crate) fn end(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.wait();
        assert!(ended.status.success(), "{ended:?}");
        ended
    }

    /// Waits for its end, and checks that no process is left.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the service does not end");
            thread::sleep(Duration::from_millis(2));
        };
        // Workers end with the service, and what it has not reaped itself is a child of this process by now.
        match rustix::process::waitpgid(self.group, WaitOptions::NOHANG) {
            Err(rustix::io::Errno::CHILD) => {}
            left => panic!("the service left a process behind: {left:?}"),
        }
        let log = self.log.take().expect("it ends once").join().expect("lines");
        Ended { status, log }
    }
}

/// A test that fails leaves nothing behind, either.
impl Drop for Service {
    fn drop(&mut self) {
        if self.log.is_some() {
            let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
            let _ = self.process.wait();
        }
    }
}

/// How many requests had this outcome.
pub(crate) fn count_of(outcome: &str, status: &Value) -> Option<u64> {
    status["outcomes"].as_array()?.iter().find(|count| count["outcome"] == outcome)?["count"].as_u64()
}

fn answer(result: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
    let (head, mut body) = result.expect("an answer").into_parts();
    let mut bytes = Vec::new();
    body.as_reader().read_to_end(&mut bytes).expect("all of the answer");
    Answer { status: head.status.as_u16(), head: Response::from_parts(head, ()), body: bytes }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
