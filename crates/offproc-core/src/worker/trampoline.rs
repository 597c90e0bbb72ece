//! From bytes to a typed call and back: made by the compiler for each pair of argument and result types, in the same
//! executable on both sides.
#![allow(unsafe_code)]

use crate::wire::codec;
use crate::wire::function::Place;
use crate::wire::message::Failure;
use serde::{Serialize, de::DeserializeOwned};

/// Calls the function at an address with the argument in `bytes` and appends the result to `out`.
pub(crate) type Trampoline = fn(function: usize, bytes: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Failure>;

/// The trampoline of `fn(A) -> R`.
///
/// It is only ever reached through [`call`], with the function it was packed together with.
pub(crate) fn run<A, R>(function: usize, bytes: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    let argument: A = codec::decode(bytes).map_err(Failure::Decode)?;
    // SAFETY: `Request::new` packs the places of `run::<A, R>` and of a function of type `fn(A) -> R` together; the
    // worker runs the same build of the same executable (checked in the handshake), so the address is that function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    codec::encode(&function(argument), out, limit).map_err(Failure::Encode)
}

/// Runs a job.
pub(crate) fn call(
    trampoline: Place,
    function: Place,
    bytes: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Failure> {
    let (trampoline, function) =
        trampoline.address().and_then(|trampoline| Ok((trampoline, function.address()?))).map_err(Failure::Decode)?;
    // SAFETY: the place was made from a `Trampoline` by `Request::new` in the parent, which the kernel vouches for,
    // and which runs the same build; it was checked to lie in the executable's code.
    let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(trampoline as *const ()) };
    trampoline(function, bytes, out, limit)
}

/// Finds the context's `init` function.
pub(crate) fn init(place: Place) -> Result<fn(), String> {
    // SAFETY: the place was made from a `fn()` by the parent; see `call`.
    place.address().map(|address| unsafe { std::mem::transmute::<*const (), fn()>(address as *const ()) })
}

/// Finds the context's `retire` function.
pub(crate) fn retire(place: Place) -> Result<fn() -> bool, String> {
    // SAFETY: the place was made from a `fn() -> bool` by the parent; see `call`.
    place.address().map(|address| unsafe { std::mem::transmute::<*const (), fn() -> bool>(address as *const ()) })
}
