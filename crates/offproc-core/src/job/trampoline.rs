//! From a typed call to bytes and back. The compiler makes a trampoline for each pair of argument and result types, in
//! the same executable on both sides, so it travels as a code offset, together with that of the function.
//!
//! Which offsets belong together, and that they are offsets in the code of this executable, is ensured in this file.
//! That the bytes with them come from the parent is not: the caller of [`call`] ensures it for a job, and for a
//! [`Callback`] the handshake, which checks the parent and its build before it reads one.
#![allow(unsafe_code)]

pub(crate) mod chunk;

use super::body::{self, JobOptions};
use super::code::CodeOffset;
use super::codec;
use super::encoded::EncodedArgument;
use super::exchange::Exchange;
use super::limits::SoftLimits;
use super::message::Failure;
use crate::error::{DecodeError, EncodeError};
use crate::wire::writer::Writer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// Calls the function at an address with the argument in `input`, and writes the result, in so many bytes. See [`run`]
/// for what its callers must ensure.
type Trampoline = unsafe fn(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>;

/// What a worker runs: the trampoline for the type of a function, and that function.
///
/// Only [`Pair`] and [`chunk::ChunkCode`] put two together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobCode([CodeOffset; 2]);

impl JobCode {
    /// The addresses of the two in this process.
    pub(crate) fn addresses(self) -> Result<(usize, usize), DecodeError> {
        let [trampoline, function] = self.0;
        Ok((trampoline.address()?, function.address()?))
    }

    /// # Safety
    ///
    /// [`Pair::code`] has made it, in a parent of this build. `argument` can be read until an answer is begun in
    /// `exchange`, and is not written to until then.
    unsafe fn call(self, argument: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure> {
        let (trampoline, function) = self.addresses().map_err(Failure::Decode)?;
        // SAFETY: `Pair::code` has made the offset from a `Trampoline`. That was in the parent, whose identity the
        // kernel has confirmed, and whose build is this one (the handshake has checked it), so the same code is at the
        // same offset here. `address` has checked that there is code of the executable.
        let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(trampoline as *const ()) };
        // SAFETY: `Pair` has put the trampoline together with a function of its type; the caller answers for
        // `argument`.
        unsafe { trampoline(function, argument, exchange) }
    }
}

/// A function of this process, and the trampoline for its type.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    trampoline: Trampoline,
    function: usize,
}

impl Pair {
    /// For a job that is of a function and its argument alone.
    #[inline]
    pub(super) fn plain<A, R>(function: fn(A) -> R) -> Self
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        Self { trampoline: run::<A, R>, function: function as usize }
    }

    /// For a job that takes the worker's state.
    pub(super) fn with_state<S, A, R>(function: fn(&mut S, A) -> R) -> Self
    where
        S: 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        Self { trampoline: run_with::<S, A, R>, function: function as usize }
    }

    /// For a job that makes the worker's state.
    pub(super) fn makes_state<V, S>(function: fn(V) -> S) -> Self
    where
        V: Serialize + DeserializeOwned,
        S: 'static,
    {
        Self { trampoline: make::<V, S>, function: function as usize }
    }

    /// The address of the function.
    pub(crate) fn function(self) -> usize {
        self.function
    }

    /// An error: the function is not part of this executable.
    #[inline]
    fn code(self) -> Result<JobCode, EncodeError> {
        Ok(JobCode([CodeOffset::of(self.trampoline as usize)?, CodeOffset::of(self.function)?]))
    }
}

/// The trampoline of `fn(A) -> R`.
///
/// # Safety
///
/// `function` is the address of a `fn(A) -> R`. `input` can be read until an answer is begun in `exchange`, and is not
/// written to until then.
unsafe fn run<A, R>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: the caller ensures it until an answer is begun, below. `A` borrows nothing from it.
    let input = unsafe { &*input };
    let argument: A = exchange.incoming.while_receiving(|| codec::decode(input)).map_err(Failure::Decode)?;
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    let result = function(argument);
    exchange.write(&result)
}

/// The trampoline of `fn(&mut S, A) -> R`, whose first argument is the worker's state.
///
/// # Safety
///
/// As [`run`], with the address of a `fn(&mut S, A) -> R`.
unsafe fn run_with<S, A, R>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    S: 'static,
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: as in `run`.
    let input = unsafe { &*input };
    let argument: A = exchange.incoming.while_receiving(|| codec::decode(input)).map_err(Failure::Decode)?;
    let state: &mut S = exchange.state.lend().map_err(Failure::Decode)?;
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(&mut S, A) -> R>(function as *const ()) };
    let result = function(state, argument);
    let written = exchange.write(&result);
    exchange.state.give_back();
    written
}

/// The trampoline of a `fn(V) -> S` that makes the worker's state. The result stays in the worker.
///
/// # Safety
///
/// As [`run`], with the address of a `fn(V) -> S`.
unsafe fn make<V, S>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    V: Serialize + DeserializeOwned,
    S: 'static,
{
    exchange.state.begin_making();
    // SAFETY: as in `run`.
    let input = unsafe { &*input };
    let value: V = exchange.incoming.while_receiving(|| codec::decode(input)).map_err(Failure::Decode)?;
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(V) -> S>(function as *const ()) };
    exchange.state.put(function(value));
    exchange.write(&())
}

/// Runs a function of this process as a job, whatever offsets the job has.
///
/// # Safety
///
/// `input` can be read until an answer is begun in `exchange`, and is not written to until then.
#[cfg(offproc_fuzzing)]
pub(crate) unsafe fn run_function<A, R>(
    function: fn(A) -> R,
    input: *const [u8],
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: the type says what the function is; the caller answers for `input`.
    unsafe { run::<A, R>(function as usize, input, exchange) }
}

/// Writes the body of a job: a function, its argument, and its options. An error: the argument cannot be serialised or
/// is too large, or the function is not part of this executable.
pub(crate) fn write_job<A: Serialize>(
    pair: Pair,
    argument: &A,
    soft: Option<&SoftLimits>,
    log_level: Option<u8>,
    encoded: Option<&mut EncodedArgument>,
    out: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    body::write_head(pair.code()?.0, soft, log_level, out)?;
    match encoded {
        None => codec::encode(argument, out),
        Some(encoded) => encoded.write(argument, out),
    }
}

/// The worker's view of a job's body.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) code: JobCode,
    pub(crate) options: JobOptions,
    pub(crate) argument: &'a [u8],
}

impl<'a> Job<'a> {
    /// `None`: the body is incomplete.
    pub(crate) fn open(body: &'a [u8]) -> Option<Self> {
        let (offsets, options, argument) = body::split_head(body)?;
        Some(Self { code: JobCode(offsets), options, argument })
    }
}

/// Runs the job in `body`. `apply` applies its options, until its result is dropped.
///
/// # Safety
///
/// [`write_job`] has written `body`, in a parent of this build. It can be read until an answer is begun in `exchange`,
/// and is not written to until then: so it is for a body that the worker's channel has just returned.
pub(crate) unsafe fn call<L>(
    body: *const [u8],
    exchange: &mut Exchange<'_>,
    apply: impl FnOnce(&JobOptions) -> L,
) -> Result<usize, Failure> {
    // SAFETY: the caller ensures it; nothing here begins an answer before the trampoline.
    let job = Job::open(unsafe { &*body });
    let job = job.ok_or_else(|| Failure::Decode(DecodeError("the job is incomplete".to_owned())))?;
    let _applied = apply(&job.options);
    // SAFETY: both are part of `body`, and `write_job` has put there what `of` has made.
    unsafe { job.code.call(std::ptr::from_ref(job.argument), exchange) }
}

/// A function of the context (`init`, `retire`, ...) of type `F`, as it travels.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Callback<F> {
    offset: CodeOffset,
    #[serde(skip)]
    of: PhantomData<F>,
}

impl<F: ContextFunction> Callback<F> {
    /// # Errors
    ///
    /// The function is not part of this executable.
    pub(crate) fn of(function: F) -> Result<Self, EncodeError> {
        Ok(Self { offset: CodeOffset::of(function.address())?, of: PhantomData })
    }

    /// The function in this process.
    pub(crate) fn get(self) -> Result<F, DecodeError> {
        let address = self.offset.address()?;
        // SAFETY: `of` has made the offset from such a function; see `JobCode::call`.
        Ok(unsafe { F::at(address) })
    }
}

/// The type of a function that a context may have.
pub(crate) trait ContextFunction: Copy {
    fn address(self) -> usize;

    /// # Safety
    ///
    /// A function of this type has this address.
    unsafe fn at(address: usize) -> Self;
}

macro_rules! context_functions {
    ($($function:ty),*) => {$(
        impl ContextFunction for $function {
            fn address(self) -> usize {
                self as usize
            }

            unsafe fn at(address: usize) -> Self {
                // SAFETY: the caller ensures it.
                unsafe { std::mem::transmute::<*const (), Self>(address as *const ()) }
            }
        }
    )*};
}

context_functions!(fn(), fn() -> bool);
