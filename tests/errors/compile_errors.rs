//! A type that cannot be sent is refused by the compiler in one sentence, which says what to do instead. And nothing
//! else is refused.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "compile-errors"
edition = "2024"

[workspace]

[dependencies]
anyhow = "1"
bytemuck = "1"
offproc = { path = "PROJECT/crates/offproc", features = ["bytemuck"] }
serde = "1"
"#;

const PREAMBLE: &str = "#![allow(unused)]
use offproc::{Error, SharedSlice, Transfer, WorkerContext, run_sync};
use serde::{Serialize, de::DeserializeOwned};
use std::rc::Rc;
fn main() {}
";

const ADVICE: &str = "cannot be sent to or from a worker process: use an owned type that derives `Serialize` and \
                      `Deserialize`, and `offproc::JobError` for an error that does not";

/// Each a program, with the type that the compiler names.
const REFUSED: [(&str, &str, &str); 9] = [
    ("counted_argument", "Rc<u32>", "async fn call() { run_sync(|n: Rc<u32>| *n, Rc::new(1_u32)).await; }"),
    ("counted_result", "Rc<u32>", "fn call() { run_sync(|n: u32| Rc::new(n), 1).wait(); }"),
    ("slice", "&[f32]", "fn call(all: &[f32]) { run_sync(|all: &[f32]| all.len(), all).wait(); }"),
    (
        "error_of_anyhow",
        "anyhow::Error",
        "fn load(path: String) -> anyhow::Result<u32> { Ok(1) }
         async fn call() -> anyhow::Result<()> { run_sync(load, String::new()).await??; Ok(()) }",
    ),
    (
        "error_of_std",
        "std::io::Error",
        "fn call() { run_sync(|path: String| std::fs::read(path), String::new()).wait(); }",
    ),
    (
        "boxed_error",
        "Box<dyn ",
        "fn load(path: String) -> Result<u32, Box<dyn std::error::Error>> { Ok(1) }
         async fn call() { run_sync(load, String::new()).await; }",
    ),
    (
        "type_without_derive",
        "Point",
        "struct Point(u32);
         async fn call() { run_sync(|point: Point| point.0, Point(1)).await; }",
    ),
    (
        "on_a_context",
        "Point",
        "struct Point(u32);
         async fn call(context: &WorkerContext) { context.run_sync(|n| Point(n), 1).await; }",
    ),
    ("without_a_bound", "T", "async fn call<T>(value: T) { run_sync(|value: T| value, value).await; }"),
];

const NOT_PLAIN: &str = "cannot be in a `SharedSlice`: its elements have to be `bytemuck::Pod`, which numbers are, and \
                         `#[repr(C)]` structs without padding that derive it";

/// The same, of elements that cannot be shared.
const UNSHARED: [(&str, &str, &str); 3] = [
    (
        "padded_element",
        "Padded",
        "#[derive(Clone, Copy)] #[repr(C)] struct Padded(u8, u32);
         fn share() { SharedSlice::from_slice(&[Padded(1, 2)]); }",
    ),
    ("element_with_a_pointer", "String", "fn read(names: &SharedSlice<String>) -> usize { 1 }"),
    ("element_of_some_values", "bool", "fn share() { SharedSlice::from_fn(3, |all: &mut [bool]| all.fill(true)); }"),
];

/// Programs in which types are inferred, or are as generic as they can be.
const ACCEPTED: &str = "
async fn inferred(context: &WorkerContext) -> Result<(), Error> {
    let sum: i64 = run_sync(|(a, b)| a + b, (1, 2)).await?;
    let sum: u8 = context.run_sync(|(a, b)| a + b, (1, 2)).wait()?;
    let length = run_sync(|items: Vec<_>| items.len(), vec![1, 2]).await?;
    let text = run_sync(|n| format!(\"{n:?}\"), Some(1)).await?;
    let all: Vec<u32> = run_sync(|items| items.into_iter().rev().collect(), vec![1, 2]).await?;
    run_sync(drop, 1).await?;
    run_sync(u32::leading_zeros, 1).await?;
    Ok(())
}

async fn by_serde<A: Serialize + DeserializeOwned, R: Serialize + DeserializeOwned>(f: fn(A) -> R, a: A) -> R {
    let (result, times) = run_sync(f, a).timed().await;
    result.unwrap()
}

fn by_name<A: Transfer, R: Transfer>(context: &WorkerContext, f: fn(A) -> R, a: A) -> Result<R, Error> {
    context.run_sync(f, a).wait()
}

fn of_both<T: Transfer>(value: T) -> impl Future<Output = T> {
    by_serde(|value: T| value, value)
}

fn share<T: bytemuck::Pod>(elements: &[T]) -> SharedSlice<T> {
    run_sync(|all: SharedSlice<T>| all, SharedSlice::from_slice(elements).unwrap()).wait().unwrap()
}

fn by_trait_object(call: offproc::RunSync<u32, u32>) -> std::pin::Pin<Box<dyn Future<Output = Result<u32, Error>>>> {
    Box::pin(call)
}
";

fn package() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-errors");
    let (project, programs) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), folder.join("src/bin"));
    let _ = fs::remove_dir_all(&programs);
    fs::create_dir_all(&programs).unwrap();
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("PROJECT", project.to_str().unwrap())).unwrap();
    fs::copy(project.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let refused = REFUSED.into_iter().chain(UNSHARED).map(|(name, _, code)| (name, code));
    for (name, code) in refused.chain([("accepted", ACCEPTED)]) {
        fs::write(programs.join(format!("{name}.rs")), format!("{PREAMBLE}{code}\n")).unwrap();
    }
    folder
}

/// The errors of each program, as the compiler prints them.
fn errors() -> BTreeMap<String, Vec<String>> {
    let package = package();
    // Without the network: all that this needs, the project needs as well.
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going", "--bins", "--message-format=json", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("target"))
        .current_dir(&package)
        .output()
        .unwrap();
    let mut errors = BTreeMap::<_, Vec<_>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        let name = said["target"]["name"].as_str().unwrap_or_default().to_owned();
        if said["reason"] == "compiler-artifact" {
            errors.entry(name).or_default();
        } else if said["message"]["level"] == "error" {
            errors.entry(name).or_default().push(said["message"]["rendered"].as_str().unwrap().to_owned());
        }
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains_key("accepted"), "offproc itself does not compile here: {said}");
    errors
}

#[test]
fn say_what_to_do_in_a_sentence() {
    let errors = errors();
    assert_eq!(errors["accepted"], [] as [&str; 0]);
    let refused = REFUSED.map(|refused| (refused, ADVICE)).into_iter();
    for ((name, type_name, _), advice) in refused.chain(UNSHARED.map(|unshared| (unshared, NOT_PLAIN))) {
        let first = errors[name].first().unwrap_or_else(|| panic!("{name} compiles"));
        println!("{first}");
        let headline = first.lines().next().unwrap();
        let named = headline.strip_suffix(advice).unwrap_or_else(|| panic!("{name}: {headline}"));
        assert!(named.contains(type_name), "{name}: {headline}");
        // The rest points at the call, the type and the bound.
        assert!(first.trim_end().lines().count() <= 20, "{name}: {first}");
        assert!(!first.contains("other types implement"), "{name}: {first}");
    }
}
