use crate::limiter::Limiter;
use offproc_core::ConfigError;

settings! {
    /// # Calls
    ///
    /// Defaults for the context's calls, which a call's own settings override.
    calls: Calls;

    kill_on_cancel: bool = false => {
        /// Whether dropping a call [kills its job](crate::RunSync::kill_on_cancel).
        ///
        /// **Default:** `false`: the job is abandoned, runs to its end, and holds its token until then.
        ///
        /// Set it to `true` in services that put timeouts around calls: with `false`, jobs that hang take the limiter's
        /// tokens one by one, until all later calls wait for ever.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().kill_on_cancel(true).max_concurrency(1).open()?;
        /// let mut endless = Box::pin(context.run_sync(|()| -> () { loop {} }, ()).into_future());
        /// assert!(futures_lite::future::poll_once(&mut endless).await.is_none());
        /// drop(endless);
        /// assert_eq!(context.run_sync(|n: u32| n + 1, 1).await?, 2); // its token is free again
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn kill_on_cancel(kill: bool) |settings| settings.kill_on_cancel = kill;
        get kill_on_cancel -> bool |settings| settings.kill_on_cancel;
    }

    limiter: Option<Limiter> = None => {
        /// The limiter from which the context's calls take their tokens, shared with all other users of it.
        ///
        /// **Default:** the [default one](crate::default_limiter), which has as many tokens as there are
        /// CPUs and serves the whole program.
        ///
        /// # Errors
        ///
        /// With [`max_concurrency`](Self::max_concurrency), [`open`](Self::open) fails: set one of the two.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::{Limiter, WorkerContext};
        ///
        /// // Two contexts that together run four jobs at once.
        /// let four = Limiter::new(4);
        /// let resize = WorkerContext::builder().limiter(&four).open()?;
        /// let encode = WorkerContext::builder().limiter(&four).open()?;
        /// assert_eq!(resize.limiter().total_tokens(), encode.limiter().total_tokens());
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn limiter(limiter: &Limiter) |settings| settings.limiter = Some(limiter.clone());
    }

    max_concurrency: Option<usize> = None => {
        /// How many of the context's calls run at once: a limiter of its own with this many tokens.
        ///
        /// **Default:** none of its own; see [`limiter`](Self::limiter).
        ///
        /// # Errors
        ///
        /// With 0, which would let no call run, and with [`limiter`](Self::limiter), [`open`](Self::open) fails.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let one_at_a_time = WorkerContext::builder().max_concurrency(1).open()?;
        /// assert_eq!(one_at_a_time.limiter().total_tokens(), 1);
        /// # one_at_a_time.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn max_concurrency(calls: usize) |settings| settings.max_concurrency = Some(calls);
        get max_concurrency -> Option<usize> |settings| settings.max_concurrency;
    }

    max_queue: Option<usize> = None => {
        /// How many of the context's calls may wait for a token. One more gets
        /// [`Error::Overloaded`](crate::Error::Overloaded) at once, and nothing is started for it. With `0` no call
        /// waits.
        ///
        /// A call counts from the poll that finds no free token until it is handed one, or until it is dropped, also if
        /// it has a [limiter of its own](crate::RunSync::limiter).
        /// [`Statistics::waiting_calls`](crate::Statistics::waiting_calls) says how many there are.
        ///
        /// **Default:** no bound.
        ///
        /// # Examples
        ///
        /// ```
        /// # futures_lite::future::block_on(async {
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().max_concurrency(1).max_queue(0).open()?;
        /// let token = context.limiter().acquire().await;
        /// let refused = context.run_sync(|x: u32| x + 1, 1).await;
        /// assert!(refused.unwrap_err().is_overloaded());
        /// drop(token);
        /// assert_eq!(context.run_sync(|x: u32| x + 1, 1).await?, 2);
        /// # context.close().await?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # }).unwrap();
        /// ```
        fn max_queue(calls: usize) |settings| settings.max_queue = Some(calls);
        get max_queue -> Option<usize> |settings| settings.max_queue;
    }
}

impl Calls {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_concurrency == Some(0) {
            return Err(ConfigError::new("max_concurrency(0) would let no call of the context ever run"));
        }
        if self.max_concurrency.is_some() && self.limiter.is_some() {
            return Err(ConfigError::new(
                "a context has either `limiter` or `max_concurrency`, which is a limiter of its own",
            ));
        }
        Ok(())
    }
}
