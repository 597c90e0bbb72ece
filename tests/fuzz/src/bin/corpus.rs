//! Packs and unpacks the kept corpus, for `run.sh`: `corpus pack|unpack TARGET FOLDER`.

use offproc_fuzz::corpus;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pack", target, folder] => corpus::pack(target, Path::new(folder)),
        ["unpack", target, folder] => corpus::unpack(target, Path::new(folder)),
        _ => {
            eprintln!("usage: corpus pack|unpack TARGET FOLDER");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}
