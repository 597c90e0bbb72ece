//! Pages for users that say how the parts belong together. They are in `docs/` of the source, which has more: the
//! architecture and the wire format, the promises with their tests, and the benchmarks.
//!
//! `cargo test` compiles and runs the code in them.

/// A module whose documentation is a page of `docs/`. Pages link to each other by labels, `[text][page.md#heading]`,
/// with a definition at their end for readers of the files. rustdoc uses the definitions here, as they come first.
macro_rules! page {
    ($(#[doc = $summary:literal])* $name:ident, $file:literal) => {
        $(#[doc = $summary])*
        ///
        /// [arrays.md]: crate::guide::arrays
        /// [cancellation.md]: crate::guide::cancellation
        /// [cluster.md]: crate::guide::cluster
        /// [containers.md]: crate::guide::containers
        /// [debugging.md]: crate::guide::debugging
        /// [debugging.md#coverage]: crate::guide::debugging#coverage
        /// [environments.md]: crate::guide::environments
        /// [libraries.md]: crate::guide::libraries
        /// [logging.md]: crate::guide::logging
        /// [migrating.md]: crate::guide::migrating
        /// [observability.md]: crate::guide::observability
        /// [platforms.md]: crate::guide::platforms
        /// [recipes.md]: crate::guide::recipes
        /// [recipes.md#error-types]: crate::guide::recipes#error-types
        /// [recipes.md#retries]: crate::guide::recipes#retries
        /// [reference.md]: crate::guide::reference
        /// [reference.md#channels]: crate::guide::reference#channels
        /// [reference.md#many-items]: crate::guide::reference#many-items
        /// [reference.md#which-values-are-fast]: crate::guide::reference#which-values-are-fast
        /// [reference.md#sandboxes]: crate::guide::reference#sandboxes
        /// [reference.md#signals]: crate::guide::reference#signals
        /// [reference.md#statistics]: crate::guide::reference#statistics
        /// [reference.md#the-end]: crate::guide::reference#the-end
        /// [service.md]: crate::guide::service
        /// [testing.md]: crate::guide::testing
        ///
        #[doc = include_str!(concat!("../docs/", $file))]
        pub mod $name {}
    };
}

page!(
    /// Everything, in the order in which you come to need it.
    reference, "reference.md"
);
page!(
    /// What dropping each future does, at each moment.
    cancellation, "cancellation.md"
);
page!(
    /// What each system offers, and what is missing there.
    platforms, "platforms.md"
);
page!(
    /// Several arguments, methods, generic functions, error types, retries, tenants, and the like.
    recipes, "recipes.md"
);
// Its code needs these.
#[cfg(any(doc, all(feature = "bytemuck", feature = "arrow")))]
page!(
    /// Large arrays without a copy, there and back: views of other crates, and what it costs.
    arrays, "arrays.md"
);
page!(
    /// How a library uses offproc so that its users need not know.
    libraries, "libraries.md"
);
page!(
    /// Where what a job says goes, and how it gets into the program's own log.
    logging, "logging.md"
);
page!(
    /// What a service needs: a policy, deadlines, refusals, an end, spans, metrics and alerts.
    service, "service.md"
);
page!(
    /// Tests of code that makes calls.
    testing, "testing.md"
);
page!(
    /// Spans of calls, events of workers, metrics.
    observability, "observability.md"
);
page!(
    /// Debuggers, core dumps, tracers, profilers, coverage.
    debugging, "debugging.md"
);
page!(
    /// From `spawn_blocking`, and from procspawn.
    migrating, "migrating.md"
);
page!(
    /// Workers that a command starts: ssh, Slurm, containers, sandboxes.
    cluster, "cluster.md"
);
page!(
    /// PID 1, memory limits, seccomp filters, musl, read-only file systems.
    containers, "containers.md"
);
page!(
    /// Hosts, launchers, containers, limits and tools that were tried, and what happens in each.
    environments, "environments.md"
);
