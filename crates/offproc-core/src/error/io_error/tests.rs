use super::*;
use crate::Error;
use std::error::Error as _;

fn sent(error: io::Error) -> io::Error {
    let bytes = postcard::to_allocvec(&Error::Spawn(error)).unwrap();
    match postcard::from_bytes(&bytes).unwrap() {
        Error::Spawn(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The kinds that stable programs can name, and some that they cannot.
fn kinds() -> Vec<ErrorKind> {
    let mut kinds = vec![
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::ConnectionAborted,
        ErrorKind::NotConnected,
        ErrorKind::AddrInUse,
        ErrorKind::AddrNotAvailable,
        ErrorKind::NetworkDown,
        ErrorKind::BrokenPipe,
        ErrorKind::AlreadyExists,
        ErrorKind::WouldBlock,
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
        ErrorKind::DirectoryNotEmpty,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::StaleNetworkFileHandle,
        ErrorKind::InvalidInput,
        ErrorKind::InvalidData,
        ErrorKind::TimedOut,
        ErrorKind::WriteZero,
        ErrorKind::StorageFull,
        ErrorKind::NotSeekable,
        ErrorKind::FileTooLarge,
        ErrorKind::ResourceBusy,
        ErrorKind::ExecutableFileBusy,
        ErrorKind::Deadlock,
        ErrorKind::TooManyLinks,
        ErrorKind::ArgumentListTooLong,
        ErrorKind::Interrupted,
        ErrorKind::Unsupported,
        ErrorKind::UnexpectedEof,
        ErrorKind::OutOfMemory,
        ErrorKind::Other,
    ];
    kinds.extend((0..256).map(|code| io::Error::from_raw_os_error(code).kind()));
    kinds
}

#[test]
fn keeps_each_kind() {
    for kind in kinds() {
        let error = sent(kind.into());
        assert_eq!((error.kind(), error.to_string()), (kind, io::Error::from(kind).to_string()));
        assert!(error.get_ref().is_none() && error.raw_os_error().is_none());
        let error = sent(io::Error::new(kind, "in words"));
        assert_eq!((error.kind(), error.to_string()), (kind, "in words".to_owned()));
    }
}

#[test]
fn keeps_each_code() {
    for code in [libc::ENOENT, libc::EMFILE, libc::EAGAIN, 4711, -1] {
        let error = sent(io::Error::from_raw_os_error(code));
        assert_eq!(error.raw_os_error(), Some(code));
        assert_eq!(error.to_string(), io::Error::from_raw_os_error(code).to_string());
    }
}

#[test]
fn keeps_its_causes() {
    let inner = io::Error::new(ErrorKind::TimedOut, crate::JobError::from("the cause").into_boxed());
    let error = sent(io::Error::new(ErrorKind::NotFound, io::Error::other(inner)));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "the cause");
    let error = sent(io::Error::other(Outer(io::Error::other("inner"))));
    assert_eq!((error.to_string().as_str(), error.source().unwrap().to_string().as_str()), ("outer", "inner"));
}

#[derive(Debug)]
struct Outer(io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn keeps_the_words_of_std_s_own() {
    // It has neither a code nor anything in it.
    let error = std::io::Read::read_exact(&mut &b""[..], &mut [0]).unwrap_err();
    assert!(error.get_ref().is_none() && error.to_string() != io::Error::from(error.kind()).to_string());
    let after = sent(io::Error::new(error.kind(), "before"));
    assert_eq!(after.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(sent(std::io::Read::read_exact(&mut &b""[..], &mut [0]).unwrap_err()).to_string(), error.to_string());
}

#[test]
fn a_kind_that_is_none_is_another() {
    assert_eq!(kind_of("a kind of a later std"), ErrorKind::Other);
}
