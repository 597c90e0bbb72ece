//! What the operators of the service can see.

use std::io::Write;
use std::process::{Command, Stdio};

use image::ImageFormat;
use serde_json::Value;

use crate::pictures::waves;
use crate::under_test::{Service, count_of};

#[test]
fn metrics_are_as_prometheus_wants_them() {
    let service = Service::start(&["--hostile", "--deadline=600000", "--workers=2"]);
    // What has not happened yet is 0, and not missing.
    let metrics = service.get("/metrics").text();
    for sample in [
        "thumbnail_requests_total{outcome=\"hung_up\"} 0\n",
        "thumbnail_request_seconds_count 0\n",
        "offproc_calls_total{context=\"thumbnails\",outcome=\"overloaded\"} 0\n",
        "offproc_worker_ends_total{context=\"thumbnails\",reason=\"crashed\"} 0\n",
        "offproc_worker_starts_total{context=\"thumbnails\"} 2\n",
        "offproc_queue_length{context=\"thumbnails\"} 0\n",
        "offproc_workers{context=\"thumbnails\",state=\"idle\"} 2\n",
        "offproc_workers{context=\"thumbnails\",state=\"running\"} 0\n",
        "offproc_queue_seconds_count{context=\"thumbnails\"} 0\n",
        "offproc_run_seconds_count{context=\"thumbnails\"} 0\n",
    ] {
        assert!(metrics.contains(sample), "no {sample} in:\n{metrics}");
    }
    service.post("/thumbnail", &waves(64, 64, ImageFormat::Png));
    service.post("/hostile/crash", b"");
    let answer = service.get("/metrics");
    assert_eq!(answer.status, 200);
    let metrics = answer.text();
    for sample in [
        "thumbnail_requests_total{outcome=\"thumbnail\"} 1\n",
        "thumbnail_requests_total{outcome=\"crashed\"} 1\n",
        "thumbnail_request_seconds_count 2\n",
        "offproc_calls_total{context=\"thumbnails\",outcome=\"crashed\"} 1\n",
        "offproc_worker_ends_total{context=\"thumbnails\",reason=\"crashed\"} 1\n",
        "offproc_workers{context=\"thumbnails\",state=\"running\"} 0\n",
    ] {
        assert!(metrics.contains(sample), "no {sample} in:\n{metrics}");
    }
    service.end();
    promtool("metrics", &[], &metrics);
}

/// An alert on a series that is not there never fires.
#[test]
fn alerts_are_about_series_that_there_are() {
    let service = Service::start(&[]);
    let metrics = service.get("/metrics").text();
    service.end();
    let selectors = Selector::all(include_str!("../alerts.yml"));
    assert!(selectors.len() > 2, "{selectors:?}");
    for selector in selectors {
        assert!(metrics.lines().any(|line| selector.selects(line)), "there is no {selector:?} in:\n{metrics}");
    }
    promtool("rules", &[concat!(env!("CARGO_MANIFEST_DIR"), "/alerts.yml")], "");
}

/// Which series an expression is about: `name{label="value", …}`, or all of a name.
#[derive(Debug)]
struct Selector<'a> {
    name: &'a str,
    /// Each as in `/metrics`: `label="value"`.
    labels: Vec<&'a str>,
}

impl<'a> Selector<'a> {
    /// All in a text.
    fn all(text: &'a str) -> Vec<Self> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let selector = |(at, _)| {
            let text = &text[at..];
            let (name, rest) = text.split_at(text.find(|c| !is_of_name(c)).unwrap_or(text.len()));
            let labels = rest.strip_prefix('{').map(|rest| rest.split_once('}').expect("a closing brace").0);
            Self { name, labels: labels.into_iter().flat_map(|labels| labels.split(',')).map(str::trim).collect() }
        };
        text.match_indices("offproc_").map(selector).collect()
    }

    /// Whether a line of `/metrics` is of such a series.
    fn selects(&self, line: &str) -> bool {
        let Some((name, (labels, _))) =
            line.split_once('{').and_then(|(name, rest)| Some((name, rest.split_once('}')?)))
        else {
            return false;
        };
        if self.labels.is_empty() {
            return name.starts_with(self.name);
        }
        let labels: Vec<_> = labels.split(',').collect();
        name == self.name && self.labels.iter().all(|label| labels.contains(label))
    }
}

/// Has promtool check something. CI has one; elsewhere its part of a test is left out where there is none.
fn promtool(what: &str, files: &[&str], input: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", what]).args(files);
    promtool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = match promtool.spawn() {
        Ok(promtool) => promtool,
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("SKIPPED: promtool (Debian: prometheus): {error}");
            return;
        }
        Err(error) => panic!("CI needs promtool (Debian: prometheus): {error}"),
    };
    promtool.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let said = promtool.wait_with_output().expect("a child");
    let complaints = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && complaints.is_empty(), "{complaints}\n{input}");
}

#[test]
fn events_tell_what_goes_on() {
    let service = Service::start(&["--workers=3", "--queue=7", "--deadline=600000"]);
    let mut events = service.events();
    let (name, reports) = events.next().expect("an event");
    assert_eq!((name.as_str(), reports), ("reports", Value::Array(vec![])));
    let (name, status) = events.next().expect("an event");
    assert_eq!(name, "status");
    assert_eq!((&status["workers"]["most"], &status["queue"]["longest"]), (&3.into(), &7.into()));
    assert_eq!((&status["workers"]["idle"], &status["phase"]), (&3.into(), &"ready".into()));

    assert_eq!(service.post("/thumbnail", b"no picture").status, 422);
    // The stream that is open has it, too.
    assert!(events.any(|(_, status)| count_of("bad_image", &status) == Some(1)));
    service.end();
    assert_eq!(events.count(), 0, "the stream ends with the service");
}

#[test]
fn only_so_many_may_watch() {
    let service = Service::start(&[]);
    let watched: Vec<_> = (0..32).map(|_| service.events()).collect();
    assert_eq!(service.get("/events").status, 503);
    drop(watched);
    service.status_where(|status| status["phase"] == "ready");
    service.end();
}

#[test]
fn logs_are_json_lines_with_spans() {
    let service = Service::start(&["--hostile", "--deadline=600000"]);
    assert_eq!(service.post("/thumbnail", &waves(64, 64, ImageFormat::Png)).status, 200);
    assert_eq!(service.post("/hostile/panic", b"a { b \" c \n d").status, 500);
    let log = service.end().log;
    let lines: Vec<Value> =
        log.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log:#?}");
    // The span of this name in that of a request, by what became of it.
    let closed = |name: &str, path: &str, outcome: &str| {
        let is_it = |line: &&Value| {
            let is_within = line["span"]["path"] == path || line["spans"][0]["path"] == path;
            line["message"] == "close"
                && line["span"]["name"] == name
                && line["span"]["outcome"] == outcome
                && is_within
        };
        lines.iter().find(is_it).unwrap_or_else(|| panic!("no {name} of {path}, {outcome}: {log:#?}"))
    };
    assert_eq!(closed("request", "/thumbnail", "thumbnail")["span"]["status"], 200);
    assert!(closed("request", "/hostile/panic", "panicked")["span"]["report"].is_string());
    for (path, outcome) in [("/thumbnail", "ok"), ("/hostile/panic", "panicked")] {
        let call = &closed("offproc.call", path, outcome)["span"];
        let numbers = ["queued_us", "starting_us", "running_us", "worker.pid"];
        assert!(call["context"] == "thumbnails" && numbers.iter().all(|field| call[field].is_u64()), "{call}");
    }
    // What the job has said in its worker.
    let decoding = lines.iter().find(|line| line["message"] == "decoding").expect("the job's event");
    assert_eq!((&decoding["width"], &decoding["spans"][0]["path"]), (&64.into(), &"/thumbnail".into()), "{decoding}");
}

#[test]
fn the_page_has_all_it_needs() {
    let service = Service::start(&[]);
    let page = service.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    for (path, kind) in [("/style.css", "text/css; charset=utf-8"), ("/live.js", "text/javascript; charset=utf-8")] {
        assert!(page.text().contains(&format!("\"{}\"", &path[1..])), "the page does not use {path}");
        let file = service.get(path);
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)));
        assert!(!file.text().contains("innerHTML"), "text of others would become part of the page");
    }
    // Nothing is fetched from elsewhere; the one address is the name of a format.
    let all = page.text() + &service.get("/live.js").text() + &service.get("/style.css").text();
    assert_eq!(all.replace("http://www.w3.org/2000/svg", "").matches("://").count(), 0);
    service.end();
}

#[test]
fn health_and_readiness_are_told() {
    let service = Service::start(&[]);
    let answer = service.get("/healthz");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
    let answer = service.get("/readyz");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ready\n"));
    service.end();
}
