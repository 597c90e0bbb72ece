use super::*;

fn counter(name: &str, is_of_group: bool) -> (PathBuf, Arc<Counter>) {
    let file = std::env::temp_dir().join(format!("offproc-oom-{}-{name}", std::process::id()));
    set(&file, 3);
    let counter = Counter::of(&file, is_of_group).unwrap();
    (file, Arc::new(counter))
}

fn set(file: &Path, count: u64) {
    std::fs::write(file, format!("low 0\noom 9\noom_kill {count}\noom_group_kill 0\n")).unwrap();
}

#[test]
fn each_kill_is_reported_for_one_worker() {
    let (file, counter) = counter("group", true);
    let workers = [(); 3].map(|()| Before::of(&counter).unwrap());
    assert_eq!(workers[0].has_killed_since(), Some(false));
    set(&file, 5);
    let late = Before::of(&counter).unwrap();
    assert_eq!(workers.map(|worker| worker.has_killed_since()), [Some(true), Some(true), Some(false)]);
    assert_eq!(late.has_killed_since(), Some(false), "it was not there yet");
    std::fs::write(&file, "").unwrap();
    assert_eq!(late.has_killed_since(), None);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_system_s_count_only_excludes() {
    let (file, counter) = counter("system", false);
    let worker = Before::of(&counter).unwrap();
    assert_eq!(worker.has_killed_since(), Some(false));
    set(&file, 4);
    assert_eq!(worker.has_killed_since(), None);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_group_s_file_is_found_by_its_line() {
    let file = |line| events_of(line).map(|file| file.to_str().unwrap().to_owned());
    assert_eq!(file("0::/user.slice/a b"), Some("/sys/fs/cgroup/user.slice/a b/memory.events".to_owned()));
    assert_eq!(file("4:cpu,memory:/x"), Some("/sys/fs/cgroup/memory/x/memory.oom_control".to_owned()));
    assert_eq!(file("3:cpuset:/x"), None);
    assert_eq!(file(""), None);
}
