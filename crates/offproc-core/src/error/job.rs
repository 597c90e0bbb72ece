use super::backtrace::Backtrace;
use super::chain::{Chain, Message, causes};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};
use std::ops::Deref;
use std::sync::Arc;

/// The error of a job whose own error type cannot travel: the text of the error and of all its causes.
///
/// Most errors cannot be serialised. A function that returns `Result<_, JobError>` can use `?` on any that converts to
/// a `Box<dyn Error + Send + Sync>`: every ordinary error, `anyhow::Error`, `eyre::Report`, boxed errors, `String` and
/// `&'static str`.
///
/// `{}` and `{:#}` print what the original printed. `{:?}` prints the message, a list of the causes, and the backtrace,
/// where there is one.
///
/// It does not keep the types: `downcast_ref` on it, or on its causes, finds nothing in the caller. If the caller has
/// to distinguish errors, return an error type of your own that derives `Serialize` and `Deserialize`.
///
/// # In other errors
///
/// It is no [`std::error::Error`] itself, like `anyhow::Error` (a type cannot implement that and also `From` any
/// error), but derefs to one. By `?` it becomes a `Box<dyn Error>`, and with the feature `anyhow` an `anyhow::Error`;
/// [`into_boxed`](Self::into_boxed) makes a `Box<dyn Error + Send + Sync>` of it.
///
/// # Examples
///
/// ```
/// use offproc::{JobError, run_sync};
///
/// fn sum(path: String) -> Result<u64, JobError> {
///     let mut sum = 0;
///     for line in std::fs::read_to_string(path)?.lines() {
///         sum += line.parse::<u64>()?;
///     }
///     if sum == 0 { Err("there is nothing to add up")? } else { Ok(sum) }
/// }
///
/// # futures_lite::future::block_on(async {
/// async fn sum_of_file(path: &str) -> Result<u64, Box<dyn std::error::Error>> {
///     // The first `?` is for offproc's error, the second for the function's own.
///     Ok(run_sync(sum, path.to_owned()).await??)
/// }
///
/// let error = sum_of_file("/no/such/file").await.unwrap_err();
/// assert_eq!(error.to_string(), "No such file or directory (os error 2)");
///
/// let error: JobError = run_sync(sum, "/dev/null".to_owned()).await.unwrap().unwrap_err();
/// assert_eq!((error.to_string().as_str(), error.type_name()), ("there is nothing to add up", "&str"));
/// # });
/// ```
#[derive(Clone)]
pub struct JobError(Arc<Report>);

struct Report {
    /// The original error in the process that made it, its text in others.
    error: Box<dyn Error + Send + Sync>,
    /// Whether `{:#}` also prints the causes.
    is_report: bool,
    type_name: Cow<'static, str>,
    backtrace: Option<Backtrace>,
}

impl JobError {
    /// The type of the error that `?` was applied to, as [`type_name`] writes it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// Where `?` was applied, when `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` asked for a backtrace there. `full` shows
    /// the frames of error and worker, too.
    ///
    /// The job only records addresses. The first call, or the first `{:?}`, looks up names, files and lines in the
    /// program's debug information: if that is large, it blocks for a good part of a second.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.0.backtrace.as_ref().map(Backtrace::text)
    }

    /// As an error that can be another's cause. It prints what this one prints.
    #[must_use]
    pub fn into_boxed(self) -> Box<dyn Error + Send + Sync> {
        Box::new(self.0)
    }

    #[cold]
    fn new(error: Box<dyn Error + Send + Sync>, type_name: &'static str) -> Self {
        let backtrace = Backtrace::take_if_wanted();
        let is_report = REPORTS.contains(&type_name);
        Self(Arc::new(Report { error, is_report, type_name: type_name.into(), backtrace }))
    }
}

impl<E> From<E> for JobError
where
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    fn from(error: E) -> Self {
        Self::new(error.into(), type_name::<E>())
    }
}

/// The types whose `{:#}` prints the causes, too. In a box only the error that they wrap is left, which does not.
/// Nothing else depends on the names of types, which another compiler may write differently.
const REPORTS: [&str; 2] = ["anyhow::Error", "eyre::Report"];

impl Deref for JobError {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl AsRef<dyn Error + Send + Sync> for JobError {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &**self
    }
}

impl From<JobError> for Box<dyn Error> {
    fn from(error: JobError) -> Self {
        error.into_boxed()
    }
}

#[cfg(feature = "anyhow")]
#[cfg_attr(docsrs, doc(cfg(feature = "anyhow")))]
impl From<JobError> for anyhow::Error {
    fn from(error: JobError) -> Self {
        Self::new(error.0)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_report {
            return self.error.fmt(f);
        }
        write!(f, "{}", self.error)?;
        if f.alternate() {
            causes(&*self.error).try_for_each(|cause| write!(f, ": {cause}"))?;
        }
        Ok(())
    }
}

/// For people: this is what `main` prints of an error, and `unwrap`.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let causes: Vec<_> = causes(&*self.error).collect();
        if !causes.is_empty() {
            f.write_str("\n\nCaused by:")?;
        }
        for (number, cause) in causes.iter().enumerate() {
            let mut text = String::new();
            let _ = write!(text, "{cause}");
            if causes.len() > 1 {
                write!(f, "\n{number:5}: {}", text.replace('\n', "\n       "))?;
            } else {
                write!(f, "\n    {}", text.replace('\n', "\n    "))?;
            }
        }
        match &self.backtrace {
            Some(backtrace) => write!(f, "\n\nStack backtrace:\n{}", backtrace.text().trim_end()),
            None => Ok(()),
        }
    }
}

impl Error for Report {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "JobError")]
struct Sent<'a> {
    chain: Chain,
    type_name: Cow<'a, str>,
    backtrace: Option<Cow<'a, Backtrace>>,
}

impl Serialize for JobError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut chain = Chain::of(&*self.0.error);
        chain.error = Message::of(&self.0);
        let backtrace = self.0.backtrace.as_ref().map(Cow::Borrowed);
        Sent { chain, type_name: self.type_name().into(), backtrace }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JobError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sent { chain, type_name, backtrace } = Sent::deserialize(deserializer)?;
        Ok(Self(Arc::new(Report {
            error: Box::new(chain.into_error()),
            is_report: false,
            type_name: type_name.into_owned().into(),
            backtrace: backtrace.map(Cow::into_owned),
        })))
    }
}

#[cfg(test)]
mod tests;
