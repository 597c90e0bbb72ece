use super::*;
use std::sync::Arc;

/// A chain with a message and as many causes as it says, the outermost with the largest number.
#[derive(Debug)]
struct Nested(Option<Box<Nested>>, usize);

impl Nested {
    fn of(causes: usize) -> Self {
        (1..=causes).fold(Self(None, 0), |inner, number| Self(Some(Box::new(inner)), number))
    }
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.1)?;
        if f.alternate() { f.write_str(" in full") } else { Ok(()) }
    }
}

impl Error for Nested {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|error| error as _)
    }
}

fn sent(error: &(dyn Error + 'static)) -> Traveller {
    let bytes = postcard::to_allocvec(&Chain::of(error)).unwrap();
    postcard::from_bytes::<Chain>(&bytes).unwrap().into_error()
}

#[test]
fn keeps_what_each_prints_in_order() {
    let error = sent(&Nested::of(2));
    assert_eq!((format!("{error}"), format!("{error:#}")), ("2".to_owned(), "2 in full".to_owned()));
    let causes: Vec<_> = causes(&error).map(|cause| format!("{cause} {cause:#}")).collect();
    assert_eq!(causes, ["1 1 in full", "0 0 in full"]);
    // From one worker through another.
    let again = sent(&error);
    assert_eq!(format!("{again:#} {:#}", again.source().unwrap()), "2 in full 1 in full");
}

#[test]
fn ends_where_an_error_is_its_own_cause() {
    #[derive(Debug)]
    struct Tail;
    impl fmt::Display for Tail {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bitten")
        }
    }
    impl Error for Tail {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }
    assert_eq!(causes(&sent(&Tail)).count(), MOST);
}

#[test]
fn is_no_deeper_than_it_may_be_whatever_was_sent() {
    let message = Message { short: String::new(), long: None };
    let chain = Chain { error: message.clone(), causes: vec![message; 1_000_000] };
    assert_eq!(causes(&chain.into_error()).count(), MOST);
}

#[test]
fn has_what_an_error_said_before_it_failed_to_say_more() {
    #[derive(Debug)]
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    impl Error for Broken {}
    assert_eq!(sent(&Arc::new(Broken)).to_string(), "half");
}
