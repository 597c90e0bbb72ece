//! From bytes to a typed call and back: made by the compiler for each pair of argument and result types, in the same
//! executable on both sides.
#![allow(unsafe_code)]

use super::port::Port;
use super::stop;
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::codec;
use crate::wire::function::Place;
use crate::wire::message::{Failure, Job};
use serde::{Serialize, de::DeserializeOwned};

/// Calls the function at an address with the argument in `input`, and writes the result to the port, in so many bytes.
pub(crate) type Trampoline =
    fn(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>;

/// What a job is read from and its result written to.
pub(crate) struct Exchange<'a> {
    pub(crate) port: &'a mut dyn Port,
    pub(crate) incoming: &'a mut Incoming,
    pub(crate) outgoing: Outgoing,
    /// How large a result may be.
    pub(crate) limit: usize,
}

/// The trampoline of `fn(A) -> R`.
///
/// It is only ever reached through [`call`], with the function it was packed together with.
pub(crate) fn run<A, R>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: `call` got it from the port, and it is valid until an answer is begun, below. The parent does not write
    // to it while the turn is ours. `A` borrows nothing from it.
    let input = unsafe { &*input };
    let argument: A = exchange.incoming.while_receiving(|| codec::decode(input)).map_err(Failure::Decode)?;
    // SAFETY: `Worker::pack` puts the places of `run::<A, R>` and of a function of type `fn(A) -> R` together; the
    // worker runs the same build of the same executable (checked in the handshake), so the address is that function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    let result = function(argument);
    exchange.outgoing = exchange.port.outgoing(exchange.incoming);
    let mut writer = exchange
        .port
        .begin(exchange.limit)
        .map_err(|e| Failure::Encode(format!("there is no memory for the result: {e}")))?;
    exchange.outgoing.while_sending(|| codec::encode(&result, &mut writer)).map_err(Failure::Encode)?;
    Ok(writer.written())
}

/// Runs the job in `body`, which the port has just handed out.
pub(crate) fn call(body: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure> {
    // SAFETY: the port has just handed it out, and nothing was begun since.
    let job = Job::open(unsafe { &*body });
    let job = job.ok_or_else(|| Failure::Decode("the job is incomplete".to_owned()))?;
    let (trampoline, function) = (job.trampoline.address(), job.function.address());
    let (trampoline, function) = (trampoline.map_err(Failure::Decode)?, function.map_err(Failure::Decode)?);
    // SAFETY: the place was made from a `Trampoline` by `Worker::pack` in the parent, which the kernel vouches for,
    // and which runs the same build; it was checked to lie in the executable's code.
    let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(trampoline as *const ()) };
    let _limited = job.soft.map(|soft| stop::limit(&soft));
    trampoline(function, std::ptr::from_ref(job.argument), exchange)
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
