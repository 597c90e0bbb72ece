//! How the body of a job begins: with the offsets of its code, and its options.

use super::code::CodeOffset;
use super::limits::SoftLimits;
use crate::error::{DecodeError, EncodeError};
use crate::wire::writer::{Full, Writer};

/// The two offsets at the start of a job's body.
const OFFSETS: usize = 16;
/// A bit in the first offset, of which code uses the lower bits: soft limits follow the offsets.
const IS_LIMITED: u64 = 1 << 63;
/// From this bit on, three bits: the level up to which the job logs, plus 1; 0 if its context does not forward logs.
const LOG_LEVEL: u32 = 60;
/// All bits that are not the offset.
const OPTIONS: u64 = !0 << LOG_LEVEL;

/// The options of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobOptions {
    pub(crate) soft: Option<SoftLimits>,
    /// The level up to which it logs.
    pub(crate) log_level: Option<u8>,
}

/// Writes what comes before the argument.
#[inline]
pub(super) fn write_head(
    [trampoline, function]: [CodeOffset; 2],
    soft: Option<&SoftLimits>,
    log_level: Option<u8>,
    out: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let full = |Full| EncodeError("the context's `max_message_size` has no room for a job".to_owned());
    let mut options = if soft.is_some() { IS_LIMITED } else { 0 };
    if let Some(level) = log_level {
        options |= (u64::from(level) + 1) << LOG_LEVEL;
    }
    out.extend(&(trampoline.0 | options).to_le_bytes()).map_err(full)?;
    out.extend(&function.0.to_le_bytes()).map_err(full)?;
    if let Some(soft) = soft {
        out.extend(&soft.to_bytes()).map_err(full)?;
    }
    Ok(())
}

/// The offsets, the options, and the argument; `None` if the body is incomplete.
pub(super) fn split_head(body: &[u8]) -> Option<([CodeOffset; 2], JobOptions, &[u8])> {
    let (offsets, mut argument) = body.split_first_chunk::<OFFSETS>()?;
    let offset = |at: usize| Some(u64::from_le_bytes(*offsets[at..].first_chunk()?));
    let (trampoline, function) = (offset(0)?, CodeOffset(offset(8)?));
    let mut options = JobOptions::default();
    if trampoline & OPTIONS != 0 {
        if trampoline & IS_LIMITED != 0 {
            let (limits, rest) = argument.split_first_chunk()?;
            options.soft = Some(SoftLimits::from_bytes(*limits));
            argument = rest;
        }
        options.log_level = (((trampoline & !IS_LIMITED) >> LOG_LEVEL) as u8).checked_sub(1);
    }
    Some(([CodeOffset(trampoline & !OPTIONS), function], options, argument))
}

/// The addresses of so many more functions at the start of a chunk, and what follows.
pub(super) fn split_addresses<const COUNT: usize>(input: &[u8]) -> Result<([usize; COUNT], &[u8]), DecodeError> {
    let (mut addresses, mut rest) = ([0; COUNT], input);
    for address in &mut addresses {
        let (offset, behind) =
            rest.split_first_chunk().ok_or_else(|| DecodeError("the chunk is incomplete".to_owned()))?;
        *address = CodeOffset(u64::from_le_bytes(*offset)).address()?;
        rest = behind;
    }
    Ok((addresses, rest))
}
