use offproc_core::ConfigError;

settings! {
    /// # Diagnostics
    ///
    /// What the report of a worker's death contains. Each of these costs something, so each is off by default.
    diagnostics: Diagnostics;

    name: Option<String> = None => {
        /// The name of the context in offproc's messages, and in spans, events and metrics.
        ///
        /// **Default:** no name.
        ///
        /// # Errors
        ///
        /// [`open`](Self::open) refuses an empty name, and one with a NUL or another control character.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().name("thumbnails").open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        fn name(name: impl Into<String>) |settings| settings.name = Some(name.into());
        get name -> Option<&str> |settings| settings.name.as_deref();
    }

    metrics_by_function: bool = false => {
        /// Whether metrics of calls have the function's name as a label, `function`.
        ///
        /// **Default:** `false`: each label value is a time series of its own, and a program may have many functions.
        ///
        /// `offproc_calls_total`, `offproc_queue_seconds` and `offproc_run_seconds` have it. The name is the function's
        /// path, or its type if the executable has no symbols.
        ///
        /// # Examples
        ///
        /// ```
        /// use offproc::WorkerContext;
        ///
        /// let context = WorkerContext::builder().name("thumbnails").metrics_by_function(true).open()?;
        /// # Ok::<(), offproc::ConfigError>(())
        /// ```
        #[cfg(feature = "metrics")]
        fn metrics_by_function(by_function: bool) |settings| settings.metrics_by_function = by_function;
        get metrics_by_function -> bool |settings| settings.metrics_by_function;
    }
}

impl Diagnostics {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.name.as_deref() {
            Some("") => Err(ConfigError::new("the name of a context must not be empty")),
            Some(name) if name.contains(char::is_control) => {
                Err(ConfigError::new(format!("the name of a context, {name:?}, must not contain control characters")))
            }
            _ => Ok(()),
        }
    }
}
