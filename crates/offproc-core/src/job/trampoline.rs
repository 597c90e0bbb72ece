//! From a typed call to bytes and back. The compiler makes a trampoline for each pair of argument and result types, in
//! the same executable on both sides, so it travels as a code offset, together with that of the function.
//!
//! Which offsets belong together, and that they are offsets in the code of this executable, is ensured in this file.
//! That the bytes with them come from the parent is not: the caller of [`call`] ensures it for a job, and for a
//! [`Callback`] the handshake, which checks the parent and its build before it reads one.
#![allow(unsafe_code)]

use super::body::{self, JobOptions};
use super::chunk::{self, ChunkBounds};
use super::code::CodeOffset;
use super::codec;
use super::encoded::EncodedArgument;
use super::exchange::Exchange;
use super::limits::SoftLimits;
use super::message::Failure;
use crate::error::{DecodeError, EncodeError};
use crate::wire::writer::{Full, Writer};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

/// Calls the function at an address with the argument in `input`, and writes the result, in so many bytes. See [`run`]
/// for what its callers must ensure.
type Trampoline = unsafe fn(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>;

/// What a worker runs: the trampoline for the type of a function, and that function.
///
/// Only [`Pair`] puts two together.
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

/// What a worker runs for the items of a chunk, which are of type `A`.
///
/// Only its constructors put functions together.
#[derive(Clone, Copy, Debug)]
pub struct ChunkCode<A> {
    code: JobCode,
    /// Of a fold: the functions that begin it, and that add a result.
    fold: Option<[CodeOffset; 2]>,
    of: PhantomData<fn(A)>,
}

impl<A: Serialize + DeserializeOwned> ChunkCode<A> {
    /// Calls `function` for each item, and returns its results.
    ///
    /// # Errors
    ///
    /// The function is not part of this executable.
    pub fn map<R>(function: fn(A) -> R) -> Result<Self, EncodeError>
    where
        R: Serialize + DeserializeOwned,
    {
        let trampoline: Trampoline = run_chunk::<A, R>;
        Self::new(trampoline, function as usize, None)
    }

    /// Calls `function` for each item, and folds its results, which need not travel.
    ///
    /// # Errors
    ///
    /// One of the functions is not part of this executable.
    pub fn fold<R, B>(function: fn(A) -> R, init: fn() -> B, fold: fn(B, R) -> B) -> Result<Self, EncodeError>
    where
        B: Serialize + DeserializeOwned,
    {
        let trampoline: Trampoline = run_fold::<A, R, B>;
        Self::new(trampoline, function as usize, Some([init as usize, fold as usize]))
    }

    fn new(trampoline: Trampoline, function: usize, fold: Option<[usize; 2]>) -> Result<Self, EncodeError> {
        let code = JobCode([CodeOffset::of(trampoline as usize)?, CodeOffset::of(function)?]);
        let offsets = |[init, fold]: [usize; 2]| Ok([CodeOffset::of(init)?, CodeOffset::of(fold)?]);
        Ok(Self { code, fold: fold.map(offsets).transpose()?, of: PhantomData })
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

/// The trampoline of `fn(A) -> R` for a chunk: its items one by one.
///
/// # Safety
///
/// As for [`run`].
unsafe fn run_chunk<A, R>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: the caller ensures it until an answer is begun, and `chunk::run` copies the items before it begins one.
    let input = unsafe { &*input };
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    chunk::run(function, input, exchange)
}

/// The trampoline of `fn(A) -> R` for a chunk whose results are folded: the offsets of a `fn() -> B` and of a
/// `fn(B, R) -> B` are at the start of `input`.
///
/// # Safety
///
/// As for [`run`], and these are the offsets of such functions.
unsafe fn run_fold<A, R, B>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    // SAFETY: as in `run_chunk`.
    let input = unsafe { &*input };
    let incomplete = || Failure::Decode(DecodeError("the chunk is incomplete".to_owned()));
    let (init, fold, items) = body::split_fold(input).map_err(Failure::Decode)?.ok_or_else(incomplete)?;
    // SAFETY: the caller ensures that they are such functions.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    // SAFETY: as above.
    let init = unsafe { std::mem::transmute::<*const (), fn() -> B>(init as *const ()) };
    // SAFETY: as above.
    let fold = unsafe { std::mem::transmute::<*const (), fn(B, R) -> B>(fold as *const ()) };
    chunk::run_fold((function, init, fold), items, exchange)
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

/// Writes the body of a job that runs a function for many items: as many as there is room for, and no other once there
/// are `enough` bytes. Returns how many. An error: the first item cannot be serialised or is too large.
pub(crate) fn write_chunk<'a, A>(
    code: &ChunkCode<A>,
    items: impl Iterator<Item = &'a A>,
    (bounds, enough): (ChunkBounds, usize),
    soft: Option<&SoftLimits>,
    log_level: Option<u8>,
    out: &mut Writer<'_>,
) -> Result<usize, EncodeError>
where
    A: Serialize + DeserializeOwned + 'a,
{
    body::write_head(code.code.0, soft, log_level, out)?;
    for offset in code.fold.iter().flatten() {
        let full = |Full| EncodeError("the context's `max_message_size` has no room for a chunk".to_owned());
        out.extend(&offset.0.to_le_bytes()).map_err(full)?;
    }
    chunk::write_items(items, bounds, enough, out)
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
