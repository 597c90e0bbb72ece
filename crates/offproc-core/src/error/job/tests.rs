use super::*;
use crate::Error as CallError;
use std::io;

fn through_postcard(error: &JobError) -> JobError {
    postcard::from_bytes(&postcard::to_allocvec(error).unwrap()).unwrap()
}

fn through_json(error: &JobError) -> JobError {
    serde_json::from_str(&serde_json::to_string(error).unwrap()).unwrap()
}

/// All its content, without a backtrace.
fn content(error: &JobError) -> [String; 4] {
    let chain: Vec<_> = causes(&**error).map(|cause| format!("{cause} {cause:#}")).collect();
    [error.to_string(), format!("{error:#}"), error.type_name().to_owned(), chain.join("\n")]
}

#[derive(Debug)]
struct Layered(&'static str, Option<Box<dyn Error + Send + Sync>>);

impl fmt::Display for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        if f.alternate() { f.write_str(", in full") } else { Ok(()) }
    }
}

impl Error for Layered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|error| error as _)
    }
}

fn layered() -> Layered {
    let inner = Layered("the disk", Some(io::Error::other("a bad sector").into()));
    Layered("the table", Some(Box::new(inner)))
}

/// As a `?` makes it.
fn of<E>(error: E) -> JobError
where
    JobError: From<E>,
{
    let fails = || -> Result<(), JobError> { Err(error)? };
    fails().unwrap_err()
}

#[test]
fn is_made_of_whatever_can_be_boxed() {
    let boxed: Box<dyn Error + Send + Sync> = "in a box".into();
    for (error, message, of) in [
        (of("a literal"), "a literal", "&str"),
        (of("a string".to_owned()), "a string", "alloc::string::String"),
        (of(Cow::Borrowed("a cow")), "a cow", std::any::type_name::<Cow<'static, str>>()),
        (of(boxed), "in a box", "alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>"),
        (of(io::Error::other("of the system")), "of the system", std::any::type_name::<io::Error>()),
        (of("x".parse::<u8>().unwrap_err()), "invalid digit found in string", "core::num::error::ParseIntError"),
        (of(layered()), "the table", "offproc_core::error::job::tests::Layered"),
        (of(CallError::Closed), "the worker context is closed", "offproc_core::error::call::Error"),
        (of(anyhow::anyhow!("of anyhow")), "of anyhow", "anyhow::Error"),
        (of(eyre::eyre!("of eyre")), "of eyre", "eyre::Report"),
    ] {
        assert_eq!((error.to_string().as_str(), error.type_name()), (message, of));
        assert_eq!(content(&through_postcard(&error)), content(&error));
        assert_eq!(content(&through_json(&error)), content(&error));
        assert_eq!(content(&through_postcard(&through_postcard(&error.clone()))), content(&error));
    }
}

#[test]
fn keeps_the_whole_chain() {
    let error = through_postcard(&of(layered()));
    assert_eq!((format!("{error}"), format!("{error:#}")), ("the table".to_owned(), "the table, in full".to_owned()));
    assert_eq!(causes(&*error).map(ToString::to_string).collect::<Vec<_>>(), ["the disk", "a bad sector"]);
}

/// What follows are the backtraces, where the tests run with one.
fn without_backtrace(error: &dyn fmt::Debug) -> String {
    format!("{error:?}").split("\n\nStack backtrace").next().unwrap().to_owned()
}

#[test]
fn prints_for_people_what_anyhow_would() {
    assert_eq!(without_backtrace(&of(layered())), "the table\n\nCaused by:\n    0: the disk\n    1: a bad sector");
    let two = || anyhow::anyhow!("inner\nof two lines").context("outer");
    let three = || two().context("outermost");
    for make in [&two as &dyn Fn() -> anyhow::Error, &three] {
        let (before, error) = (make(), of(make()));
        for error in [&error, &through_postcard(&error)] {
            assert_eq!(without_backtrace(error), without_backtrace(&before));
            assert_eq!(format!("{error}"), format!("{before}"));
            assert_eq!(format!("{error:#}"), format!("{before:#}"));
        }
    }
}

#[test]
fn prints_what_eyre_would() {
    let make = || eyre::eyre!("inner").wrap_err("outer");
    let error = of(make());
    for error in [&error, &through_postcard(&error)] {
        assert_eq!((format!("{error}"), format!("{error:#}")), (format!("{}", make()), format!("{:#}", make())));
    }
}

#[test]
fn becomes_other_errors_and_itself_again() {
    let boxes = || -> Result<(), Box<dyn Error>> { Err(of(layered()))? };
    let boxed = boxes().unwrap_err();
    assert_eq!((boxed.to_string().as_str(), causes(&*boxed).count()), ("the table", 2));
    // What `main` prints.
    assert!(format!("{boxed:?}").contains("\n    0: the disk\n"));
    let itself = || -> Result<(), JobError> { Err(of("once"))? };
    assert_eq!(itself().unwrap_err().type_name(), "&str", "and not of a box");
    let again = of(through_postcard(&of(layered())).into_boxed());
    assert_eq!(content(&again)[3], content(&of(layered()))[3]);
}

#[cfg(feature = "anyhow")]
#[test]
fn becomes_one_of_anyhow() {
    let fails = || -> anyhow::Result<()> { Err(through_postcard(&of(layered())))? };
    let error = fails().unwrap_err();
    assert_eq!(format!("{error:#}"), "the table: the disk: a bad sector");
    assert_eq!(error.chain().count(), 3);
    let and_back = through_json(&of(error.context("above")));
    assert_eq!(format!("{and_back:#}"), "above: the table: the disk: a bad sector");
}

#[test]
fn is_as_large_as_a_pointer() {
    assert_eq!(size_of::<Result<(), JobError>>(), size_of::<usize>());
    fn travels<T: Serialize + for<'de> Deserialize<'de> + Clone + Send + Sync + 'static>() {}
    travels::<JobError>();
}

/// A worker's are in `tests/errors/errors_that_travel.rs`.
#[test]
fn has_a_backtrace_from_the_function_on() {
    crate::sys::backtrace::set_wanted(Some(false));
    let error = of("with a backtrace");
    let text = error.backtrace().expect("it is asked for");
    assert!(text.starts_with("   0: offproc_core::error::job::tests::of"), "{text}");
    assert!(text.contains("has_a_backtrace_from_the_function_on"), "{text}");
    assert!(!text.contains("__rust_begin_short_backtrace"), "{text}");
    for error in [through_postcard(&error), through_json(&error), through_postcard(&through_json(&error))] {
        assert_eq!(error.backtrace(), Some(text));
    }
}
