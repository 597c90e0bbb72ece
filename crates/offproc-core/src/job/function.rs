//! The functions of jobs, as callers have them.

use super::state::StateType;
use super::trampoline::Pair;
use serde::{Serialize, de::DeserializeOwned};
use std::any::type_name;
use std::marker::PhantomData;

/// What a job runs: with what an `A` was encoded to, it leads to an `R`.
pub trait Function<A, R> {
    #[doc(hidden)]
    fn pair(&self) -> Pair;

    /// The address of the function.
    #[inline]
    fn address(&self) -> usize {
        self.pair().function()
    }

    /// The type of the function.
    fn type_name(&self) -> &'static str;
}

impl<A, R> Function<A, R> for fn(A) -> R
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    #[inline]
    fn pair(&self) -> Pair {
        Pair::plain(*self)
    }

    #[inline]
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

/// A function that is more than argument and result: it takes the worker's state, or makes it.
#[derive(Debug)]
pub struct JobFunction<A, R> {
    pair: Pair,
    type_name: &'static str,
    state: Option<StateType>,
    of: PhantomData<fn(A) -> R>,
}

impl<A, R> JobFunction<A, R>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    /// A function that takes the worker's state.
    pub fn with_state<S: 'static>(function: fn(&mut S, A) -> R) -> Self {
        Self::new(Pair::with_state(function), type_name::<fn(&mut S, A) -> R>(), Some(StateType::of::<S>()))
    }
}

impl<V: Serialize + DeserializeOwned> JobFunction<V, ()> {
    /// A function that makes the worker's state.
    pub(crate) fn makes_state<S: 'static>(function: fn(V) -> S) -> Self {
        Self::new(Pair::makes_state(function), type_name::<fn(V) -> S>(), None)
    }
}

impl<A, R> JobFunction<A, R> {
    fn new(pair: Pair, type_name: &'static str, state: Option<StateType>) -> Self {
        Self { pair, type_name, state, of: PhantomData }
    }

    /// The type of the state that it takes.
    #[must_use]
    pub fn state(&self) -> Option<&StateType> {
        self.state.as_ref()
    }
}

impl<A, R> Function<A, R> for JobFunction<A, R> {
    fn pair(&self) -> Pair {
        self.pair
    }

    fn type_name(&self) -> &'static str {
        self.type_name
    }
}
