//! offproc in a shared library: another program's executable is never started as a worker of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("target");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "offproc-environments", "--lib", "--target-dir"])
            .arg(&target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success());
        target.join("debug").join("libenvironments_plugin.so")
    })
}

/// The library's calls say where it is, with and without `offproc::init()`, and the program that has loaded it runs
/// once; the program's own offproc, of the same version, is another copy and works.
#[test]
fn that_is_loaded_says_so_and_starts_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_program")).arg("load").arg(library()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[4]), (5, "main ran", "program: 2"), "{said}");
    for line in &lines[1..4] {
        assert!(line.contains(&format!("offproc is in a shared library here ({})", library().display())), "{line}");
        assert!(!line.contains("main`"), "no advice that does harm: {line}");
    }
}
