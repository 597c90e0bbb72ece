use crate::context::WorkerContext;
use offproc_core::{ChunkCode, EncodeError, Error, Function, ItemFunction, StateType, Transfer};
use std::panic::Location;

/// What all chunks of a map run.
pub(super) struct Task<A, R> {
    /// For an item that is a job of its own; `None` where results are folded.
    pub(super) alone: Option<ItemFunction<A, R>>,
    pub(super) chunk: Result<ChunkCode<A>, EncodeError>,
    /// The address and the type of the function.
    pub(super) name: (usize, &'static str),
    /// The type of the state that it takes.
    pub(super) state: Option<StateType>,
    pub(super) caller: &'static Location<'static>,
}

impl<A: Transfer, R: Transfer> Task<A, R> {
    pub(super) fn map(function: ItemFunction<A, R>, caller: &'static Location<'static>) -> Self {
        let chunk = ChunkCode::map(&function);
        Self { alone: Some(function), ..Self::of(&function, chunk, caller) }
    }

    pub(super) fn fold<F>(
        function: ItemFunction<A, F>,
        init: fn() -> R,
        fold: fn(R, F) -> R,
        caller: &'static Location<'static>,
    ) -> Self {
        Self::of(&function, ChunkCode::fold(&function, init, fold), caller)
    }

    fn of<F>(
        function: &ItemFunction<A, F>,
        chunk: Result<ChunkCode<A>, EncodeError>,
        caller: &'static Location<'static>,
    ) -> Self {
        let name = (function.address(), function.type_name());
        Self { alone: None, chunk, name, state: function.state().copied(), caller }
    }

    /// An error if the workers of this context do not have the state that the function takes.
    pub(super) fn check_state(&self, context: &WorkerContext) -> Result<(), Error> {
        context.inner().check_state(self.state.as_ref())
    }
}
