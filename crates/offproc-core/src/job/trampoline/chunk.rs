//! The trampolines of chunks: a function for each of many items, whose results travel one by one or are folded.
#![allow(unsafe_code)]

use super::{JobCode, Pair, Trampoline};
use crate::error::{DecodeError, EncodeError};
use crate::job::body;
use crate::job::chunk::{self, ChunkBounds, FoldFunctions};
use crate::job::code::CodeOffset;
use crate::job::exchange::Exchange;
use crate::job::function::Function;
use crate::job::limits::SoftLimits;
use crate::job::message::Failure;
use crate::job::state::{StateType, WorkerState};
use crate::wire::writer::{Full, Writer};
use serde::{Serialize, de::DeserializeOwned};
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

/// Calls the function at an address, a `fn(&mut S, A) -> R`, with the worker's state, if that is an `S`.
type StateCaller<A, R> = unsafe fn(function: usize, state: &mut WorkerState, item: A) -> Result<R, DecodeError>;

/// What a map calls for each item: a function of the item, or of the worker's state and the item.
///
/// Only its constructors put functions together.
pub struct ItemFunction<A, R> {
    /// For an item that is a job of its own.
    alone: Pair,
    chunk: Trampoline,
    /// How a fold calls it; `None` for a function of the item alone.
    caller: Option<StateCaller<A, R>>,
    type_name: &'static str,
    state: Option<StateType>,
}

impl<A, R> ItemFunction<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    /// A function of the item alone.
    pub fn plain(function: fn(A) -> R) -> Self {
        Self {
            alone: Pair::plain(function),
            chunk: run_chunk::<A, R>,
            caller: None,
            type_name: type_name::<fn(A) -> R>(),
            state: None,
        }
    }

    /// A function that takes the worker's state.
    pub fn with_state<S: 'static>(function: fn(&mut S, A) -> R) -> Self {
        Self {
            alone: Pair::with_state(function),
            chunk: run_chunk_with::<S, A, R>,
            caller: Some(call_with::<S, A, R>),
            type_name: type_name::<fn(&mut S, A) -> R>(),
            state: Some(StateType::of::<S>()),
        }
    }
}

impl<A, R> ItemFunction<A, R> {
    /// The type of the state that it takes.
    #[must_use]
    pub fn state(&self) -> Option<&StateType> {
        self.state.as_ref()
    }
}

impl<A, R> Function<A, R> for ItemFunction<A, R> {
    #[inline]
    fn pair(&self) -> Pair {
        self.alone
    }

    #[inline]
    fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl<A, R> Clone for ItemFunction<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for ItemFunction<A, R> {}

impl<A, R> fmt::Debug for ItemFunction<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name)
    }
}

/// What a worker runs for the items of a chunk, which are of type `A`.
///
/// Only its constructors put functions together.
#[derive(Clone, Copy, Debug)]
pub struct ChunkCode<A> {
    code: JobCode,
    /// Of a fold: the functions that begin it, and that add a result, and a [`StateCaller`].
    fold: [Option<CodeOffset>; 3],
    of: PhantomData<fn(A)>,
}

impl<A: Serialize + DeserializeOwned> ChunkCode<A> {
    /// Calls `function` for each item, and returns its results.
    ///
    /// # Errors
    ///
    /// The function is not part of this executable.
    pub fn map<R>(function: &ItemFunction<A, R>) -> Result<Self, EncodeError> {
        Self::new(function.chunk, function.address(), [None; 3])
    }

    /// Calls `function` for each item, and folds its results, which need not travel.
    ///
    /// # Errors
    ///
    /// One of the functions is not part of this executable.
    pub fn fold<R, B>(function: &ItemFunction<A, R>, init: fn() -> B, fold: fn(B, R) -> B) -> Result<Self, EncodeError>
    where
        B: Serialize + DeserializeOwned,
    {
        let (trampoline, caller): (Trampoline, _) = match function.caller {
            None => (run_fold::<A, R, B>, None),
            Some(caller) => (run_fold_with::<A, R, B>, Some(caller as usize)),
        };
        Self::new(trampoline, function.address(), [Some(init as usize), Some(fold as usize), caller])
    }

    fn new(trampoline: Trampoline, function: usize, fold: [Option<usize>; 3]) -> Result<Self, EncodeError> {
        let code = JobCode([CodeOffset::of(trampoline as usize)?, CodeOffset::of(function)?]);
        let offset = |address: Option<usize>| address.map(CodeOffset::of).transpose();
        let [init, fold, caller] = fold;
        Ok(Self { code, fold: [offset(init)?, offset(fold)?, offset(caller)?], of: PhantomData })
    }
}

/// The trampoline of `fn(A) -> R` for a chunk: its items one by one.
///
/// # Safety
///
/// As for [`run`](super::run).
unsafe fn run_chunk<A, R>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: the caller ensures it until an answer is begun, and `chunk::run` copies the items before it begins one.
    let input = unsafe { &*input };
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    chunk::run(|_, item| Ok(function(item)), input, exchange)
}

/// The trampoline of `fn(&mut S, A) -> R` for a chunk.
///
/// # Safety
///
/// As for [`run_with`](super::run_with).
unsafe fn run_chunk_with<S, A, R>(
    function: usize,
    input: *const [u8],
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    S: 'static,
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: as in `run_chunk`.
    let input = unsafe { &*input };
    // SAFETY: the caller ensures that `function` is the address of a `fn(&mut S, A) -> R`.
    let call = |state: &mut WorkerState, item| unsafe { call_with::<S, A, R>(function, state, item) };
    chunk::run(call, input, exchange)
}

/// The [`StateCaller`] for a `fn(&mut S, A) -> R`.
///
/// # Safety
///
/// `function` is the address of such a function.
unsafe fn call_with<S: 'static, A, R>(function: usize, state: &mut WorkerState, item: A) -> Result<R, DecodeError> {
    // SAFETY: the caller ensures it.
    let function = unsafe { std::mem::transmute::<*const (), fn(&mut S, A) -> R>(function as *const ()) };
    Ok(function(state.lend()?, item))
}

/// The trampoline of `fn(A) -> R` for a chunk whose results are folded: the offsets of a `fn() -> B` and of a
/// `fn(B, R) -> B` are at the start of `input`.
///
/// # Safety
///
/// As for [`run`](super::run), and these are the offsets of such functions.
unsafe fn run_fold<A, R, B>(function: usize, input: *const [u8], exchange: &mut Exchange<'_>) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    // SAFETY: as in `run_chunk`.
    let input = unsafe { &*input };
    let ([init, fold], items) = body::split_addresses(input).map_err(Failure::Decode)?;
    // SAFETY: the caller ensures that it is such a function.
    let function = unsafe { std::mem::transmute::<*const (), fn(A) -> R>(function as *const ()) };
    // SAFETY: the caller ensures that they are such functions.
    let begin_and_add = unsafe { fold_functions::<R, B>(init, fold) };
    chunk::run_fold(|_, item| Ok(function(item)), begin_and_add, items, exchange)
}

/// The trampoline of `fn(&mut S, A) -> R` for a chunk whose results are folded. Behind the two offsets is that of a
/// [`StateCaller`], which knows the `S`.
///
/// # Safety
///
/// As for [`run_fold`]; the `StateCaller` is the one for the type of the function.
unsafe fn run_fold_with<A, R, B>(
    function: usize,
    input: *const [u8],
    exchange: &mut Exchange<'_>,
) -> Result<usize, Failure>
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    // SAFETY: as in `run_chunk`.
    let input = unsafe { &*input };
    let ([init, fold, caller], items) = body::split_addresses(input).map_err(Failure::Decode)?;
    // SAFETY: the caller ensures that it is such a function.
    let caller = unsafe { std::mem::transmute::<*const (), StateCaller<A, R>>(caller as *const ()) };
    // SAFETY: the caller ensures that they are such functions.
    let begin_and_add = unsafe { fold_functions::<R, B>(init, fold) };
    // SAFETY: the caller ensures that it is the caller for this function.
    let call = |state: &mut WorkerState, item| unsafe { caller(function, state, item) };
    chunk::run_fold(call, begin_and_add, items, exchange)
}

/// # Safety
///
/// These are the addresses of such functions.
unsafe fn fold_functions<R, B>(init: usize, fold: usize) -> FoldFunctions<R, B> {
    // SAFETY: the caller ensures it.
    let init = unsafe { std::mem::transmute::<*const (), fn() -> B>(init as *const ()) };
    // SAFETY: as above.
    let fold = unsafe { std::mem::transmute::<*const (), fn(B, R) -> B>(fold as *const ()) };
    (init, fold)
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
