use serde::{Serialize, de::DeserializeOwned};

/// What can be sent to a worker process and back: every type that is `Serialize + DeserializeOwned`.
///
/// There is nothing to implement. It is a bound of its own so that the compiler says in a sentence what to do about a
/// type that cannot be sent: `Rc`, a reference, an error such as `std::io::Error` or `anyhow::Error`, a type of yours
/// without `#[derive(Serialize, Deserialize)]`. A generic function can name it, or the two that it stands for:
///
/// ```
/// use offproc::{Error, Transfer, run_sync};
///
/// async fn largest<T: Transfer + Ord>(items: Vec<T>) -> Result<Option<T>, Error> {
///     run_sync(|items: Vec<T>| items.into_iter().max(), items).await
/// }
/// # assert_eq!(futures_lite::future::block_on(largest(vec![1, 3, 2])).unwrap(), Some(3));
/// ```
///
/// `&str` and `&[u8]` are refused as well, but with another message, "implementation of `Deserialize` is not general
/// enough", as serde can deserialise them from text or bytes that live long enough. Send a `String` or a `Vec<u8>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to or from a worker process: use an owned type that derives `Serialize` and \
               `Deserialize`, and `offproc::JobError` for an error that does not",
    label = "not `Serialize + DeserializeOwned`"
)]
pub trait Transfer: Serialize + DeserializeOwned {}

// The compiler would otherwise say what is missing to this one, and list 130 types that are `Serialize`.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Transfer for T {}
