use super::{Receiver, Sender};
use offproc_core::{Transfer, item_channel};

/// A channel through which items go from one process to another, one by one, in order: the progress of a job, results
/// as it finds them, or work that it gets while it runs.
///
/// Either end can be sent to a worker, in the argument of a call, and back, in its result, alone or inside other types;
/// a job can also send an end on, in a call of its own. `capacity` bounds how many items wait to be received; 0 counts
/// as 1. A sender waits while the channel is full, a receiver while it is empty.
///
/// The channel ends when either end is dropped, or its process has ended, however that happened: the receiver gets what
/// was sent before, and then [`RecvError::Closed`](crate::RecvError::Closed); the sender gets
/// [`SendError::Closed`](crate::SendError::Closed), so a job can stop early. A call that ends, is killed or abandoned
/// has no other effect on it.
///
/// Everything is async, in the caller and in a job, under any executor, and has a blocking form, `.wait()`, which needs
/// none.
///
/// # Errors
///
/// This function has none: if the system has no room for a channel, such as descriptors, each use of an end says so.
///
/// An item to or from another process may have as many bytes as the
/// [`max_message_size`](crate::WorkerContextBuilder::max_message_size) of the context which that belongs to. A longer
/// one is [`SendError::Encode`](crate::SendError::Encode), or, from a worker that does not keep to it,
/// [`RecvError::Decode`](crate::RecvError::Decode).
///
/// An end can be serialised in a call alone, and once: it has one owner. Anything else is
/// [`Error::Encode`](crate::Error::Encode). So is an end, an `Fd` or a descriptor as an *item*; `SharedBytes` in an
/// item are copied.
///
/// # Platform-specific behaviour
///
/// Items go through memory that both processes map, without a system call while both are awake. It is as large as the
/// items that wait, at least 64 KiB.
///
/// Where the system has no such memory (Linux before 3.17), or forbids it (a seccomp filter without `memfd_create`),
/// they go over a socket, with the same promises, but for one: what the socket has no room for, some 200 KiB, waits in
/// the sender's process. If that dies, it is lost. A worker that ends in an orderly way first waits for the receiver to
/// read it, for up to 5 s without progress.
///
/// # Examples
///
/// A job that reports its progress:
///
/// ```
/// use offproc::{Sender, channel, run_sync};
///
/// fn sum((numbers, progress): (Vec<u64>, Sender<usize>)) -> u64 {
///     let mut sum = 0;
///     for (done, number) in numbers.iter().enumerate() {
///         sum += number;
///         // Reports what it can without waiting.
///         let _ = progress.try_send(done);
///     }
///     sum
/// }
///
/// # futures_lite::future::block_on(async {
/// let (sender, mut progress) = channel(16);
/// let call = run_sync(sum, (vec![1, 2, 3], sender));
/// let print = async {
///     while let Ok(done) = progress.recv().await {
///         println!("{done}");
///     }
/// };
/// let (sum, ()) = futures_lite::future::zip(call, print).await;
/// assert_eq!(sum?, 6);
/// # Ok::<_, offproc::Error>(())
/// # }).unwrap();
/// ```
///
/// Without async:
///
/// ```
/// use offproc::{Receiver, Sender, channel, run_sync};
///
/// fn square((numbers, squares): (Receiver<u64>, Sender<u64>)) {
///     for number in numbers.wait() {
///         if squares.send(number * number).wait().is_err() {
///             return; // the caller wants no more
///         }
///     }
/// }
///
/// let (numbers, from) = channel(8);
/// let (to, squares) = channel(8);
/// let worker = std::thread::spawn(|| run_sync(square, (from, to)).wait());
/// for number in 1..=3 {
///     numbers.send(number).wait()?;
/// }
/// drop(numbers);
/// assert_eq!(squares.wait().collect::<Vec<_>>(), [1, 4, 9]);
/// worker.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn channel<T: Transfer>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = item_channel(capacity);
    (Sender::new(sender), Receiver::new(receiver))
}
