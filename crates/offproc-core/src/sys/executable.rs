//! The file of this program's executable, and how to start it once more: it and nothing else.
//!
//! `/proc/self/exe` is the file that the kernel has executed. That is not the program if it was started through the
//! dynamic loader (`ld.so ./program`) or an emulator (valgrind), and there may be no `/proc`. So offproc starts a file
//! only if its code is what runs here: it compares the file's number with the list of mappings, or else the file's
//! contents. Each later start checks that it still is that file.

use super::image::{self, Image};
use super::mappings::{FileId, Mappings};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Leads to the file even if it was deleted, renamed or replaced since.
const ITSELF: &str = "/proc/self/exe";

/// The file to execute for one more process of this program.
#[derive(Debug)]
struct Executable {
    file: Known,
    /// If that is the dynamic loader: its name and options, and the program that it loads.
    loaded: Option<(Vec<OsString>, Known)>,
}

/// A path and the file that was found there.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    file: FileId,
}

impl Known {
    fn is_still_there(&self) -> bool {
        FileId::at(&self.path).is_ok_and(|file| file == self.file)
    }
}

/// The command for one more process of this program, with the same arguments.
///
/// # Errors
///
/// No file is known to be the executable.
pub(crate) fn command() -> io::Result<Command> {
    let executable = find()?;
    let mut command = Command::new(&executable.file.path);
    let loader = executable.loaded.as_ref().map_or(0, |(loader, _)| loader.len());
    let mut arguments = arguments(loader).into_iter();
    let name = arguments.next();
    match &executable.loaded {
        None => {
            if let Some(name) = name {
                command.arg0(name);
            }
        }
        Some((loader, program)) => {
            command.arg0(&loader[0]).args(&loader[1..]).arg(&program.path);
        }
    }
    command.args(arguments);
    Ok(command)
}

/// The program's arguments, its name first; behind those of the loader.
fn arguments(loader: usize) -> Vec<OsString> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Before `main`, as in a worker, std has them with glibc alone.
    if arguments.is_empty() { command_line().unwrap_or_default().into_iter().skip(loader).collect() } else { arguments }
}

/// All that this process was executed with.
fn command_line() -> Option<Vec<OsString>> {
    let words = std::fs::read("/proc/self/cmdline").ok()?;
    let words = words.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    Some(words.map(|word| OsString::from_vec(word.to_vec())).collect())
}

/// The file with the program's code, for its symbols.
pub(crate) fn open() -> io::Result<File> {
    let executable = find()?;
    let program = executable.loaded.as_ref().map_or(&executable.file, |(_, program)| program);
    File::open(&program.path)
}

/// The path at which the executable is, or was, for messages.
pub(crate) fn name() -> PathBuf {
    match find() {
        Ok(executable) => {
            let program = executable.loaded.as_ref().map_or(&executable.file, |(_, program)| program);
            std::fs::read_link(&program.path).unwrap_or_else(|_| program.path.clone())
        }
        Err(_) => started_as().unwrap_or_else(|| PathBuf::from("the executable")),
    }
}

fn find() -> io::Result<Arc<Executable>> {
    static FOUND: Mutex<Option<Arc<Executable>>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let is_still_there = |executable: &&Arc<Executable>| {
        executable.file.is_still_there()
            && executable.loaded.as_ref().is_none_or(|(_, program)| program.is_still_there())
    };
    if let Some(executable) = found.as_ref().filter(is_still_there) {
        return Ok(Arc::clone(executable));
    }
    let executable = Arc::new(search()?);
    *found = Some(Arc::clone(&executable));
    Ok(executable)
}

fn search() -> io::Result<Executable> {
    let mapped = Mappings::of_this_process()?;
    let code = mapped.at(search as fn() -> io::Result<Executable> as usize);
    let ours = |path: &Path| {
        let file = FileId::at(path).ok()?;
        let is_it = code.is_some_and(|code| code.is_of(path, file)) || has_this_build(path, file);
        is_it.then(|| Known { path: path.to_owned(), file })
    };
    let mut candidates = vec![PathBuf::from(ITSELF)];
    candidates.extend(code.and_then(|code| code.path.clone()).into_iter().chain(started_as()));
    let somewhere = || candidates.iter().find_map(|path| ours(path));
    if let Some((file, arguments)) = loader(&mapped) {
        let given = arguments.iter().enumerate().find_map(|(place, word)| Some((place, ours(Path::new(word))?)));
        // The program may have been started by a path that is not valid here.
        let program = given.or_else(|| Some((arguments.len().checked_sub(std::env::args_os().len())?, somewhere()?)));
        if let Some((place, program)) = program {
            return Ok(Executable { file, loaded: Some((arguments[..place].to_vec(), program)) });
        }
    } else if let Some(file) = somewhere() {
        return Ok(Executable { file, loaded: None });
    }
    let seen = |path: &PathBuf| match std::fs::read_link(path) {
        Ok(target) if path == Path::new(ITSELF) => format!("{ITSELF} ({})", target.display()),
        _ if FileId::at(path).is_err() => format!("{} (not there)", path.display()),
        _ => path.display().to_string(),
    };
    Err(io::Error::other(format!(
        "no file is certainly this program's executable, and offproc executes no other in its place; the code is from \
         {}, and none of these is that file: {}",
        code.and_then(|code| code.path.as_ref()).map_or("a file without a path".into(), |path| path.to_string_lossy()),
        candidates.iter().map(seen).collect::<Vec<_>>().join(", "),
    )))
}

/// True if the file has the same code. It may be another file (a copy, or one that a file system shows under another
/// number), which works as well.
fn has_this_build(path: &Path, file: FileId) -> bool {
    File::open(path).is_ok_and(|opened| {
        // Some emulators open another file than they would execute.
        FileId::of(&opened).is_ok_and(|opened| opened == file)
            && image::build_of(&opened).is_ok_and(|build| build == Image::current().build())
    })
}

/// If `/proc/self/exe` is a library of this process, it is the dynamic loader, which was executed with the program as
/// one of its arguments: returns the loader, and all arguments.
fn loader(mapped: &Mappings) -> Option<(Known, Vec<OsString>)> {
    let path = Path::new(ITSELF);
    let file = FileId::at(path).ok()?;
    let libraries = image::objects().into_iter().skip(1).flat_map(|library| library.ranges);
    libraries.filter_map(|range| mapped.at(range.start)).find(|mapping| mapping.is_of(path, file))?;
    Some((Known { path: path.to_owned(), file }, command_line()?))
}

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Records the directory from which a relative path leads, before the program can change it.
pub(crate) fn note_directory() {
    if started_as().is_some_and(|path| path.is_relative()) {
        let _ = std::env::current_dir().map(|directory| DIRECTORY.set(directory));
    }
}

/// The path that this process was started by, from the kernel (`AT_EXECFN`).
fn started_as() -> Option<PathBuf> {
    let path = super::kernel::executed_path()?;
    Some(match DIRECTORY.get() {
        Some(directory) => directory.join(path),
        None => path,
    })
}

/// The privilege that the file of the executable gives to a process of this user that executes it, if any.
pub(crate) fn privilege() -> Option<&'static str> {
    use rustix::fs::{Mode, getxattr, stat};
    use rustix::process::{getgid, getuid};
    let executable = find().ok()?;
    let path = &executable.file.path;
    let stat = stat(path).ok()?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.contains(Mode::SUID) && stat.st_uid != getuid().as_raw() {
        Some("set-user-id")
    } else if mode.contains(Mode::SGID | Mode::XGRP) && stat.st_gid != getgid().as_raw() {
        Some("set-group-id")
    } else if !getuid().is_root() && getxattr(path, "security.capability", &mut [0_u8; 64]).is_ok() {
        Some("given file capabilities")
    } else {
        None
    }
}

/// The system's error from starting the executable, with its likely cause.
pub(crate) fn explain(error: &io::Error) -> String {
    let name = name();
    let hint = find().map_or(String::new(), |executable| hint(error, &executable.file.path));
    format!("{} could not be executed: {error}{hint}", name.display())
}

fn hint(error: &io::Error, path: &Path) -> String {
    use rustix::fs::{StatVfsMountFlags, stat, statvfs};
    let user = rustix::process::geteuid().as_raw();
    match error.raw_os_error() {
        Some(libc::EACCES) if statvfs(path).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::NOEXEC)) => {
            "; its file system is mounted `noexec`".to_owned()
        }
        Some(libc::EACCES) => stat(path).map_or(String::new(), |stat| {
            format!(
                "; this process runs as user {user}, and the file has mode {:04o}, user {} and group {}",
                stat.st_mode & 0o7777,
                stat.st_uid,
                stat.st_gid
            )
        }),
        Some(libc::ENOENT) if FileId::at(path).is_ok() => match Image::current().loader() {
            Some(loader) => format!("; its dynamic loader, {}, does not exist (any more)", loader.display()),
            None => String::new(),
        },
        Some(libc::EAGAIN) => "; the user, or the control group, has reached its limit of processes".to_owned(),
        Some(libc::ETXTBSY) => "; a process has the file open for writing".to_owned(),
        Some(libc::E2BIG) => "; arguments and environment of the program leave no room for offproc's own".to_owned(),
        Some(libc::EPERM | libc::ENOSYS) => "; a seccomp filter or a security module forbids it".to_owned(),
        _ => String::new(),
    }
}
