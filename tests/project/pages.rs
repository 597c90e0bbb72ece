//! README and the pages of `docs/`: links lead somewhere, also where rustdoc shows the pages, and code is what it is
//! said to be. That it compiles and runs is seen by `cargo test --doc` (`crates/offproc/src/guide.rs`).

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README, the pages, and the one that stands beside its code, by their paths from the root.
fn pages() -> HashMap<String, String> {
    let mut pages = HashMap::new();
    let names = ["docs", "docs/architecture"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".md")).map(move |name| format!("{folder}/{name}"))
    });
    let others = ["README.md", "crates/offproc-core/src/wire/shm/README.md"].map(str::to_owned);
    for name in names.chain(others) {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        pages.insert(name, text);
    }
    assert!(pages.len() > 20, "{:?}", pages.keys());
    pages
}

/// A path below the root, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(normal.pop(), "{path:?} leads out of the project");
        } else {
            normal.push(part);
        }
    }
    normal
}

/// The lines of a page that are prose, and those that are Rust.
fn split(page: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut prose, mut code, mut fence) = (Vec::new(), Vec::new(), None);
    for line in page.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(language)) => fence = Some(language),
            (Some(_), Some(_)) => fence = None,
            (None, None) => prose.push(line),
            (Some(language), None) if language.starts_with("rust") => code.push(line),
            (Some(_), None) => {}
        }
    }
    assert!(fence.is_none(), "a block of code does not end");
    (prose, code)
}

/// The names by which links find a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = split(page).0.into_iter().filter(|line| line.starts_with('#'));
    let texts = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    texts
        .map(|text| {
            let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The targets of inline links, `[…](target)`.
fn inline_links(page: &str) -> Vec<String> {
    let prose = split(page).0.join("\n");
    prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The files of pictures that are HTML, `<img src="target" …>`. A page that rustdoc shows has its pictures that way, as
/// rustdoc has no files beside its pages, and HTML can say that what is missing is left out.
fn pictures(page: &str) -> Vec<String> {
    let prose = split(page).0.join("\n");
    prose.split("<img src=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// The definitions of labels, `[label]: target`.
fn definitions(page: &str) -> HashMap<String, String> {
    let lines = page.lines().map(|line| line.trim_start_matches([' ', '/']));
    let defined = lines.filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
    defined.map(|(label, target)| (label.to_owned(), target.to_owned())).collect()
}

#[test]
fn link_to_what_there_is() {
    let pages = pages();
    for (name, page) in &pages {
        let folder = Path::new(name).parent().unwrap();
        let links = inline_links(page).into_iter().chain(pictures(page)).chain(definitions(page).into_values());
        for target in links {
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { PathBuf::from(name) } else { normal(&folder.join(path)) };
            assert!(root().join(&path).exists(), "{name} links to {target}, which does not exist");
            if let (false, Some(linked)) = (anchor.is_empty(), pages.get(path.to_str().unwrap())) {
                assert!(anchors(linked).contains(anchor), "{name} links to {target}, which has no such heading");
            }
        }
    }
}

/// In rustdoc, pages are modules, and links from one to another are the labels that the guide defines for all of them.
#[test]
fn link_to_each_other_in_rustdoc() {
    let guide = fs::read_to_string(root().join("crates/offproc/src/guide.rs")).unwrap();
    let known = definitions(&guide);
    let pages = pages();
    let shown = |page: &&str| guide.contains(&format!("\"{page}\""));
    let names: Vec<&str> = pages.keys().filter_map(|name| name.strip_prefix("docs/")).filter(shown).collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let page = &pages[&format!("docs/{name}")];
        for target in inline_links(page) {
            assert!(target.starts_with("http") || target.starts_with('#'), "{name}: use a label for {target}");
        }
        let defined = definitions(page);
        for (label, target) in &defined {
            assert_eq!(label, target, "{name}: a label is what it leads to");
            assert!(known.contains_key(label), "guide.rs defines no label {label}, which {name} uses");
        }
        // `[text][label]`
        let prose = split(page).0.join("\n");
        for label in prose.split("][").skip(1).map(|rest| rest.split(']').next().unwrap()) {
            assert!(defined.contains_key(label), "{name} uses the label {label} and does not define it");
        }
    }
    for (label, target) in known {
        let (page, anchor) = label.split_once('#').unwrap_or((&label, ""));
        assert!(guide.contains(&format!("\"{page}\"")), "guide.rs defines {label} and has no such page");
        assert_eq!(target, format!("crate::guide::{}{}", page.trim_end_matches(".md"), &label[page.len()..]));
        assert!(anchor.is_empty() || anchors(&pages[&format!("docs/{page}")]).contains(anchor), "{label}");
    }
}

/// rustdoc hides such lines, a code host does not.
#[test]
fn have_no_hidden_code() {
    for (name, page) in pages() {
        for line in split(&page).1 {
            assert!(line != "#" && !line.starts_with("# "), "{name}: {line}");
        }
    }
}

#[test]
fn show_tests_that_are_run() {
    let shown = [
        ("testing.md", include_str!("testing_example.rs").split_once("\n\n").unwrap().1),
        ("logging.md", include_str!("logging/forwarding.rs")),
        ("logging.md", include_str!("logging/own_subscriber.rs")),
        ("recipes.md", include_str!("retries/backon.rs")),
        ("recipes.md", include_str!("retries/tower.rs")),
    ];
    for (page, code) in shown {
        let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
        assert!(text.contains(code), "docs/{page} does not have this code of tests/project:\n{code}");
    }
}

/// The table of `docs/reference.md`, as the documentation of the builder's setters has it: of `max_spin`, for example,
/// "50 µs". It is in the order in which `interface.rs` names the groups.
fn settings() -> String {
    let pool = root().join("crates/offproc-pool/src/context");
    let core = root().join("crates/offproc-core/src/settings");
    let interface = fs::read_to_string(pool.join("builder/interface.rs")).unwrap();
    let mut rows = "| `WorkerContextBuilder::` | default |\n|---|---|\n".to_owned();
    for group in interface.lines().filter_map(|line| line.strip_suffix("!();")) {
        let (folder, group) = match group.strip_prefix("offproc_core::") {
            Some(group) => (core.clone(), group),
            None => (pool.join("settings"), group),
        };
        rows += &rows_of(&fs::read_to_string(folder.join(format!("{group}.rs"))).unwrap());
        if group == "calls" {
            rows += &rows_of(&interface);
        }
    }
    rows
}

/// The rows for the setters in a file.
fn rows_of(source: &str) -> String {
    let mut rows = String::new();
    let (mut documentation, mut feature) = (Vec::new(), String::new());
    let mut lines = source.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("///") {
            documentation.push(words.trim());
        } else if let Some((_, name)) = line.split_once("feature = \"").filter(|_| line.starts_with("#[")) {
            feature = format!(" (feature `{}`)", name.split('"').next().unwrap());
        } else if !line.starts_with("#[") {
            let is_setter = [Some(&line), lines.peek()].into_iter().flatten().any(|line| line.contains("|settings|"));
            if let Some(name) = line.strip_prefix("fn ").filter(|_| is_setter) {
                let name = name.split('(').next().unwrap();
                rows += &format!("| `{name}`{feature} | {} |\n", default_in(name, &documentation));
            }
            documentation.clear();
            feature.clear();
        }
    }
    rows
}

/// What a documentation says of the default, without its links.
fn default_in(name: &str, documentation: &[&str]) -> String {
    const START: &str = "**Default:** ";
    let paragraphs = documentation.split(|line| line.is_empty());
    let paragraph = paragraphs.map(|lines| lines.join(" ")).find(|paragraph| paragraph.starts_with(START));
    let paragraph = paragraph.unwrap_or_else(|| panic!("{name} does not say what its default is"));
    let mut words = paragraph[START.len()..].trim_end_matches('.').to_owned();
    while let Some((before, (text, after))) =
        words.split_once('[').and_then(|(b, rest)| Some((b, rest.split_once(']')?)))
    {
        let after = if after.starts_with('(') { after.split_once(')').unwrap().1 } else { after };
        words = format!("{before}{text}{after}");
    }
    words
}

/// With `OFFPROC_WRITE_PAGES` set, this writes the table.
#[test]
fn have_each_setting_with_its_default() {
    let path = root().join("docs/reference.md");
    let reference = fs::read_to_string(&path).unwrap();
    let (before, rest) = reference.split_once("## All settings and their defaults\n\n").unwrap();
    let end = rest.find("\n\n").unwrap() + 1;
    let settings = settings();
    assert!(settings.lines().count() > 40, "{settings}");
    if std::env::var_os("OFFPROC_WRITE_PAGES").is_some() {
        let written = format!("{before}## All settings and their defaults\n\n{settings}{}", &rest[end..]);
        fs::write(&path, written).unwrap();
        return;
    }
    assert_eq!(rest[..end], settings, "docs/reference.md: the table of settings is not what the builder says");
}

/// The page about the service says what each of its files has.
#[test]
fn name_each_file_of_the_service() {
    let (page, files) = (&pages()["docs/service.md"], root().join("examples/service/src"));
    for entry in fs::read_dir(files).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".rs") || page.contains(&format!("`{name}`")), "docs/service.md does not name {name}");
    }
}
