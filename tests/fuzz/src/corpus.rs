//! The kept corpus: one file a target, `corpus/TARGET.hex`, with one input a line.
//!
//! A line is the input's bytes in hexadecimal; the empty input is an empty line. The lines are sorted and each is there
//! once, so that a change of the corpus is a readable difference. libFuzzer wants a folder with one file an input:
//! [`unpack`] makes it and [`pack`] reads it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn packed(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).with_extension("hex")
}

/// The inputs of a target.
///
/// # Errors
///
/// `InvalidData` names the line that is not hexadecimal; other errors are those of reading the file.
pub fn read(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let (path, mut inputs) = (packed(target), Vec::new());
    for (index, line) in fs::read_to_string(&path)?.lines().enumerate() {
        let input = decode(line).ok_or_else(|| {
            let problem = format!("{}:{}: not whole bytes in hexadecimal", path.display(), index + 1);
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })?;
        inputs.push(input);
    }
    Ok(inputs)
}

/// Puts all files of a folder into a target's corpus, in place of what it had.
///
/// # Errors
///
/// Those of reading the folder and writing the file.
pub fn pack(target: &str, folder: &Path) -> io::Result<()> {
    let mut lines = Vec::new();
    for file in fs::read_dir(folder)? {
        lines.push(encode(&fs::read(file?.path())?));
    }
    lines.sort();
    lines.dedup();
    fs::write(packed(target), lines.into_iter().map(|line| line + "\n").collect::<String>())
}

/// Writes a target's corpus into a folder, one file an input, named by the number of its line.
///
/// # Errors
///
/// As [`read`], and those of writing the files.
pub fn unpack(target: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (index, input) in read(target)?.into_iter().enumerate() {
        fs::write(folder.join(format!("{:04}", index + 1)), input)?;
    }
    Ok(())
}

fn encode(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(line: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        u8::try_from(digit(0)? * 16 + digit(1)?).ok()
    };
    line.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(&all).len(), 512);
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(decode(&encode(&[])), Some(Vec::new()));
    }

    #[test]
    fn a_line_that_is_not_hexadecimal_is_refused() {
        for line in ["0", "0g", "0 ", "+1", "é"] {
            assert_eq!(decode(line), None, "{line}");
        }
    }
}
