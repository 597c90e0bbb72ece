//! Without the feature `auto-init`, a program has to call `offproc::init()`; one that forgot gets a clear error, never
//! a second copy of itself.
//!
//! That program is a package of its own: in one build with the others, it would get the feature from them.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

fn run(arguments: &[&str]) -> String {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(build);
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn build() -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "offproc-tests-no-auto-init", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    target.join("debug").join("offproc-tests-no-auto-init")
}

#[test]
fn a_program_that_calls_init_has_workers() {
    assert_eq!(run(&["init"]), "main runs\n2\n");
}

#[test]
fn a_program_that_forgot_gets_a_clear_error_and_no_second_copy() {
    let said = run(&[]);
    assert!(said.contains("offproc::init()") && said.contains("auto-init"), "{said}");
    assert_eq!(said.matches("main runs").count(), 1, "{said}");
}
