//! Two versions of offproc in one program, as two of its dependencies may require, do not disturb each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "two-copies"
edition = "2024"

[workspace]

[dependencies]
one = { package = "offproc", path = "PROJECT/crates/offproc" }
two = { package = "offproc", path = "../copy/crates/offproc"FEATURES }
"#;

/// Calls of both, a fork server of each, and a job of each that calls the other.
const PROGRAM: &str = r#"
use std::future::{Future, IntoFuture};
use std::task::{Context, Poll, Waker};

fn wait<F: IntoFuture>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future.into_future());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

macro_rules! calls {
    ($name:literal, $offproc:ident, $other:ident) => {
        println!("{} {:?}", $name, wait($offproc::run_sync(|n: u32| n + 1, 1)).map_err(|e| e.to_string()));
        let server = $offproc::WorkerContext::builder().worker_type($offproc::WorkerType::ForkServer).open().unwrap();
        println!("{} {:?}", $name, wait(server.run_sync(|n: u32| n + 2, 1)).map_err(|e| e.to_string()));
        let ask_other = |n: u32| wait($other::run_sync(|n: u32| n + 3, n)).map_err(|e| e.to_string());
        println!("{} {:?}", $name, wait($offproc::run_sync(ask_other, 1)).map_err(|e| e.to_string()));
        wait(server.close()).unwrap();
    };
}

fn main() {
    INIT
    assert!(std::env::var_os("OFFPROC_WORKER").is_none());
    println!("main ran");
    calls!("one", one, two);
    calls!("two", two, one);
}
"#;

const SAID: &str = "main ran\none Ok(2)\none Ok(3)\none Ok(Ok(4))\ntwo Ok(2)\ntwo Ok(3)\ntwo Ok(Ok(4))\n";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates once more, as another version.
fn copy_crates(to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp").args(["-RL", "--"]).arg(project().join("crates")).arg(to).status().unwrap();
    assert!(copied.success());
    let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version");
    let lines = manifest.lines().filter(|line| !line.starts_with("default-members"));
    let lines = lines.map(|line| if line.starts_with("members") { "members = [\"crates/*\"]" } else { line });
    let manifest = lines.collect::<Vec<_>>().join("\n").replace(version, "\"99.0.0\"");
    fs::write(to.join("Cargo.toml"), manifest).unwrap();
    for package in fs::read_dir(to.join("crates")).unwrap() {
        let path = package.unwrap().path().join("Cargo.toml");
        let manifest = fs::read_to_string(&path).unwrap();
        // Cargo takes a workspace that it knows and that is further up, such as the project around `target`, for the
        // root of a package which does not name its own.
        let named = manifest.replacen("[package]\n", "[package]\nworkspace = \"../..\"\n", 1);
        assert_ne!(named, manifest);
        fs::write(&path, named).unwrap();
    }
}

fn build(name: &str, features: &str, init: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-copies");
    let program = folder.join(name);
    fs::create_dir_all(program.join("src")).unwrap();
    let manifest = MANIFEST.replace("PROJECT", project().to_str().unwrap()).replace("FEATURES", features);
    fs::write(program.join("Cargo.toml"), manifest).unwrap();
    fs::write(program.join("src/main.rs"), PROGRAM.replace("INIT", init)).unwrap();
    fs::copy(project().join("Cargo.lock"), program.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(&program)
        .status()
        .unwrap();
    assert!(built.success());
    target.join("debug").join("two-copies")
}

fn run(program: &Path) -> String {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn of_offproc_both_work() {
    copy_crates(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-copies/copy"));
    assert_eq!(run(&build("program", "", "")), SAID);
    // One of them without `auto-init`: the other sees the marker first, and leaves it.
    let without = ", default-features = false";
    // A worker of the first never comes to `main`, so in there the other is not ready, and says so.
    let said = run(&build("explicit", without, "two::init();"));
    let (before, rest) = said.split_once("one Ok(Err(").expect("a job that cannot call the other");
    let (reason, after) = rest.split_once("))\n").expect("its reason");
    assert!(reason.contains("has not called `offproc::init()`"), "{said}");
    assert_eq!(format!("{before}one Ok(Ok(4))\n{after}"), SAID, "and all else works");
}
