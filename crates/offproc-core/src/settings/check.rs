//! Finds settings that can never work, whatever the state of the system when a worker starts.

use super::Settings;
use super::resource::Resource;
use crate::error::ConfigError;
use crate::job::codec;
use crate::sys::{cpu, limits};
use std::borrow::Cow;
use std::ffi::OsStr;

/// The largest argument or result may be no smaller than this.
const LEAST_MESSAGE_SIZE: usize = 1024;

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Which of them cannot work, and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_start()?;
        self.check_retirement()?;
        self.check_environment()?;
        self.check_surroundings()?;
        self.check_resources()?;
        codec::encode_own(self, &mut Vec::new()).map_err(|e| ConfigError::new(e.to_string()))
    }

    fn check_start(&self) -> Result<(), ConfigError> {
        let limit = self.transport.max_message_size;
        if limit < LEAST_MESSAGE_SIZE {
            return refused(format!(
                "a max_message_size of {limit} bytes is too small; {LEAST_MESSAGE_SIZE} is the least"
            ));
        }
        if self.start.start_timeout.is_zero() {
            return refused("a start timeout of zero leaves no worker the time to start");
        }
        if self.limits.oom_score > 1000 {
            return refused(format!("an `oom_score_adj` of {} is too high; 1000 is the most", self.limits.oom_score));
        }
        Ok(())
    }

    fn check_retirement(&self) -> Result<(), ConfigError> {
        if self.retirement.retire_after_jobs.as_ref().is_some_and(|jobs| jobs.is_empty() || *jobs.start() == 0) {
            return refused(
                "a worker cannot retire before its first job: the range of `retire_after_jobs` must not be empty or \
                 start at 0",
            );
        }
        if self.retirement.retire_above_memory == Some(0) {
            return refused(
                "every worker has more than 0 bytes of memory; to retire each after one job, use \
                 `retire_after_jobs(1..=1)`",
            );
        }
        Ok(())
    }

    fn check_environment(&self) -> Result<(), ConfigError> {
        for (name, value) in &self.surroundings.environment {
            let shown = name.to_string_lossy();
            let bytes = name.as_encoded_bytes();
            if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
                return refused(format!(
                    "{shown:?} cannot be the name of an environment variable: one has at least one character, and \
                     neither `=` nor NUL"
                ));
            }
            if value.as_deref().is_some_and(has_nul) {
                return refused(format!("the value for the environment variable {shown} contains a NUL byte"));
            }
        }
        Ok(())
    }

    fn check_surroundings(&self) -> Result<(), ConfigError> {
        if let Some(directory) = &self.surroundings.directory {
            if directory.is_empty() || has_nul(directory) {
                return refused(format!(
                    "{directory:?} cannot be the path of a directory: it is empty, or contains a NUL byte"
                ));
            }
        }
        if let Some(nice) = self.surroundings.nice.filter(|nice| !(-20..=19).contains(nice)) {
            return refused(format!("there is no niceness {nice}: it goes from -20 to 19"));
        }
        if let Some(cpus) = &self.surroundings.cpus {
            if cpus.is_empty() {
                return refused("a worker needs at least one CPU to run on, and `cpu_affinity` has none");
            }
            if let Some(cpu) = cpus.iter().find(|cpu| **cpu >= cpu::MOST) {
                return refused(format!("there is no CPU {cpu}: numbers go up to {}", cpu::MOST - 1));
            }
            if cpu::are_all_missing(cpus) {
                return refused(format!("this program can run on none of the CPUs {cpus:?}"));
            }
        }
        Ok(())
    }

    fn check_resources(&self) -> Result<(), ConfigError> {
        let none = |wanted: Resource| {
            self.limits.resource_limits.iter().any(|(resource, most)| *resource == wanted && *most == 0)
        };
        let limits = self.limits.resource_limits.iter().map(|(resource, _)| resource);
        if let Some(resource) = limits.into_iter().find(|resource| !limits::are_supported(resource.limited())) {
            return refused(format!("this system cannot limit a process by `Resource::{resource:?}`"));
        }
        if none(Resource::AddressSpace) {
            return refused("a worker cannot start without any address space (`Resource::AddressSpace`)");
        }
        if none(Resource::CpuTime) {
            return refused("a worker cannot start without any CPU time (`Resource::CpuTime`)");
        }
        Ok(())
    }
}

fn refused(reason: impl Into<Cow<'static, str>>) -> Result<(), ConfigError> {
    Err(ConfigError::new(reason))
}

fn has_nul(text: &OsStr) -> bool {
    text.as_encoded_bytes().contains(&0)
}
