//! `docs/reliability.md` promises nothing that no test proves.

use std::fs::read_to_string;
use std::path::Path;

#[test]
fn names_tests_that_exist() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read_to_string(here.join("../docs/reliability.md")).expect("the page");
    // Every other part is between backticks.
    let names: Vec<_> = page.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    let names: Vec<_> =
        names.into_iter().filter(|(file, _)| file.chars().all(|c| c == '_' || c.is_lowercase())).collect();
    assert!(names.len() > 50, "the page names its tests: {names:?}");
    for (file, test) in names {
        if (file, test) == ("a", "b") {
            continue; // the notation, explained
        }
        let text = read_to_string(here.join(format!("{file}.rs")))
            .or_else(|_| read_to_string(here.join(file).join("main.rs")))
            .unwrap_or_else(|e| panic!("{file}::{test}: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
        assert!(!text.contains(&format!("#[ignore]\nfn {test}(")), "{file}::{test} is ignored");
    }
}
