use super::attachments;
use super::codec;
use crate::error::EncodeError;
use crate::wire::writer::Writer;
use serde::Serialize;

/// The bytes of an argument whose job may run more than once: the parent serialises it for the first worker only.
///
/// It serialises an argument with attachments (`Fd`, `SharedBytes`) for each worker, as the bytes say which of them
/// that worker has already.
#[derive(Clone, Debug, Default)]
pub struct EncodedArgument(Option<Vec<u8>>);

impl EncodedArgument {
    /// Appends the argument.
    pub(crate) fn write<A: Serialize>(&mut self, argument: &A, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        if let Some(bytes) = &self.0 {
            return codec::append::<A>(bytes, out);
        }
        let mut bytes = Vec::new();
        codec::encode_to(argument, &mut bytes)?;
        codec::append::<A>(&bytes, out)?;
        if !attachments::is_attached() {
            self.0 = Some(bytes);
        }
        Ok(())
    }
}
