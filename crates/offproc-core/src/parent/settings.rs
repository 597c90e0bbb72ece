//! What the workers of a context are told.

use crate::sys::image::Image;
use crate::wire::codec;
use crate::wire::frame::{self, Kind};
use crate::wire::function::Place;
use crate::wire::hello::Hello;
use crate::worker::entry;
use std::time::Duration;

/// The settings that reach a worker, and those for starting one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a worker stays without a job; `Duration::MAX`: for ever.
    pub idle_timeout: Duration,
    /// How long a worker may take to start, `init` included; `Duration::MAX`: for ever.
    pub start_timeout: Duration,
    /// The largest argument or result, in serialised bytes.
    pub frame_limit: usize,
    /// Run before the first job.
    pub init: Option<fn()>,
    /// Run after each job.
    pub retire: Option<fn() -> bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(600),
            start_timeout: Duration::from_secs(60),
            frame_limit: 1 << 30,
            init: None,
            retire: None,
        }
    }
}

impl Settings {
    /// The hello, as a frame.
    ///
    /// # Errors
    ///
    /// In words: a function is not part of the executable.
    pub(crate) fn hello(&self) -> Result<Vec<u8>, String> {
        let place = |address: Option<usize>| address.map(Place::of).transpose();
        let hello = Hello {
            build: Image::current().build(),
            depth: entry::depth() + 1,
            frame_limit: self.frame_limit as u64,
            idle_timeout: (self.idle_timeout != Duration::MAX).then_some(self.idle_timeout),
            init: place(self.init.map(|init| init as usize))?,
            retire: place(self.retire.map(|retire| retire as usize))?,
        };
        let mut frame = frame::begin();
        codec::encode(&hello, &mut frame, usize::MAX)?;
        frame::finish(Kind::Hello, &mut frame);
        Ok(frame)
    }

    /// Tells what is wrong with the settings, in words.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn check(&self) -> Result<(), String> {
        const LEAST: usize = 1024;
        if self.frame_limit < LEAST {
            return Err(format!("a frame limit of {} bytes is too small; {LEAST} is the least", self.frame_limit));
        }
        if self.start_timeout.is_zero() {
            return Err("a start timeout of zero leaves no time to start".to_owned());
        }
        self.hello().map(drop)
    }
}
