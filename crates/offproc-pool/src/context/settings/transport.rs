use offproc_core::Runtime;
use std::sync::Arc;

settings! {
    transport: Transport;

    runtime: Option<Arc<dyn Runtime>> = None => {
        /// Pins the context to one runtime, instead of the one that polls each call.
        ///
        /// **Default:** the runtime that polls.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::{WorkerContext, runtimes};
        ///
        /// // All waiting is on `async-io`'s reactor, whichever runtime polls.
        /// let context = WorkerContext::builder().runtime(runtimes::AsyncIo).open()?;
        /// assert_eq!(context.run_sync(|n: u32| n + 1, 1).await?, 2);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn runtime(runtime: impl Runtime) |settings| settings.runtime = Some(Arc::new(runtime));
    }
}
