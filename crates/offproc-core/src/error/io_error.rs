//! How an [`io::Error`] travels: by the system's code where it has one, else by its kind and what it prints.

use super::broken::BrokenWorkerError;
use super::chain::Chain;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::{self, ErrorKind};

#[derive(Serialize, Deserialize)]
enum Sent {
    Os(i32),
    /// By the name of the kind.
    Kind(String),
    Custom(String, Chain),
    /// A worker that died before it could begin.
    Broken(String, BrokenWorkerError),
}

pub(super) fn serialize<S: Serializer>(error: &io::Error, serializer: S) -> Result<S::Ok, S::Error> {
    let kind = format!("{:?}", error.kind());
    let sent = match (error.raw_os_error(), error.get_ref()) {
        (Some(code), _) => Sent::Os(code),
        (_, Some(inner)) => match inner.downcast_ref::<BrokenWorkerError>() {
            Some(death) => Sent::Broken(kind, death.clone()),
            None => Sent::Custom(kind, Chain::of(inner)),
        },
        _ if error.to_string() == io::Error::from(error.kind()).to_string() => Sent::Kind(kind),
        // One of std's own, which has a text but no inner error.
        _ => Sent::Custom(kind, Chain::of(error)),
    };
    sent.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<io::Error, D::Error> {
    Ok(match Sent::deserialize(deserializer)? {
        Sent::Os(code) => io::Error::from_raw_os_error(code),
        Sent::Kind(kind) => io::Error::from(kind_of(&kind)),
        Sent::Custom(kind, chain) => io::Error::new(kind_of(&kind), chain.into_error()),
        Sent::Broken(kind, death) => io::Error::new(kind_of(&kind), death),
    })
}

/// The kind of this name. Most kinds belong to a code of the system's; some of std's have no stable name.
fn kind_of(name: &str) -> ErrorKind {
    const OTHERS: [ErrorKind; 3] = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof, ErrorKind::WriteZero];
    const CODES: i32 = 256;
    let of_codes = (0..CODES).map(|code| io::Error::from_raw_os_error(code).kind());
    let mut all = OTHERS.into_iter().chain(of_codes);
    all.find(|kind| format!("{kind:?}") == name).unwrap_or(ErrorKind::Other)
}

#[cfg(test)]
mod tests;
