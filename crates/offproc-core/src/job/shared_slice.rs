//! Arrays that are not copied on their way.

use super::reason;
use super::shared_bytes::SharedBytes;
use bytemuck::Pod;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::type_name;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;

/// What a [`SharedSlice`] can have: every type that is [`bytemuck::Pod`].
///
/// There is nothing to implement. Numbers are `Pod`, arrays of them, and structs with
/// `#[repr(C)] #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]` that have no padding. It is a bound of its
/// own so that the compiler says in a sentence what is the matter with another type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in a `SharedSlice`: its elements have to be `bytemuck::Pod`, which numbers are, and \
               `#[repr(C)]` structs without padding that derive it",
    label = "not `bytemuck::Pod`"
)]
pub trait Element: Pod {}

// The compiler would otherwise say what is missing to this one, and list types that are `Pod`.
#[diagnostic::do_not_recommend]
impl<T: Pod> Element for T {}

/// An immutable array of numbers or plain structs that travels to workers and back without being copied:
/// [`SharedBytes`] with a type.
///
/// It is a `&[T]` on either side, so whatever works on slices works on it in place: views of `ndarray`, `nalgebra` and
/// others, and iterators of `rayon`. Its first element is aligned to 64 bytes at least. A job that has to return many
/// numbers fills one with [`from_fn`](Self::from_fn): the caller gets the memory in which the job has put them.
///
/// It becomes [`SharedBytes`], and is made of them, for nothing.
///
/// Outside a call (in JSON, in a file), it serialises as the plain bytes of its elements, in the byte order of the
/// machine.
///
/// # Platform-specific behaviour
///
/// As [`SharedBytes`]: on the stream transport, and where the system has no such memory, it is copied, with the same
/// result, aligned all the same.
///
/// # Errors
///
/// `T` has to be [`bytemuck::Pod`], have a size, and need an alignment of 64 bytes at most: other types do not
/// compile. A value that arrives with a length that is no whole number of elements is an
/// [`Error::Decode`](crate::Error::Decode).
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offproc::{SharedSlice, run_sync};
///
/// /// Neither the argument nor the result is copied.
/// fn squares(numbers: SharedSlice<f64>) -> SharedSlice<f64> {
///     SharedSlice::from_fn(numbers.len(), |squares| {
///         for (square, number) in squares.iter_mut().zip(&*numbers) {
///             *square = number * number;
///         }
///     })
///     .expect("there is memory")
/// }
///
/// let numbers = SharedSlice::from_slice(&[1.0, 2.0, 3.0])?;
/// assert_eq!(*run_sync(squares, numbers.clone()).wait()?, [1.0, 4.0, 9.0]);
/// # Ok(())
/// # }
/// ```
///
/// Neither of these compiles:
///
/// ```compile_fail,E0080
/// offproc::SharedSlice::from_slice(&[(); 3]); // the elements of a `SharedSlice` must have a size, and these have none
/// ```
///
/// ```compile_fail,E0277
/// offproc::SharedSlice::from_slice(&[(1_u8, 2_u32)]); // `(u8, u32)` cannot be in a `SharedSlice` …
/// ```
pub struct SharedSlice<T: Element> {
    bytes: SharedBytes,
    elements: PhantomData<T>,
}

impl<T: Element> SharedSlice<T> {
    /// Checked when it is compiled, for each `T`.
    const CHECK: () = {
        assert!(size_of::<T>() > 0, "the elements of a `SharedSlice` must have a size, and these have none");
        assert!(align_of::<T>() <= 64, "the elements of a `SharedSlice` may need an alignment of 64 bytes at most");
    };

    /// An array with a copy of these elements.
    ///
    /// # Errors
    ///
    /// The system has no memory for it.
    pub fn from_slice(elements: &[T]) -> io::Result<Self> {
        Self::from_fn(elements.len(), |memory| memory.copy_from_slice(elements))
    }

    /// An array of this many elements, all of whose bytes are zero, that `fill` may write to before it becomes
    /// immutable.
    ///
    /// # Errors
    ///
    /// The system has no memory for it.
    pub fn from_fn(length: usize, fill: impl FnOnce(&mut [T])) -> io::Result<Self> {
        let () = Self::CHECK;
        let Some(size) = length.checked_mul(size_of::<T>()) else {
            let reason = format!("there is no memory for {length} elements of {} bytes each", size_of::<T>());
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, reason));
        };
        let bytes = SharedBytes::from_fn(size, |bytes| fill(bytemuck::cast_slice_mut(bytes)))?;
        Ok(Self { bytes, elements: PhantomData })
    }
}

impl<T: Element> Clone for SharedSlice<T> {
    /// Shares the memory.
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), elements: PhantomData }
    }
}

impl<T: Element> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.bytes)
    }
}

impl<T: Element> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Element> TryFrom<&[T]> for SharedSlice<T> {
    type Error = io::Error;

    fn try_from(elements: &[T]) -> io::Result<Self> {
        Self::from_slice(elements)
    }
}

/// The same memory, without a copy.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput): the length is no whole number of elements.
impl<T: Element> TryFrom<SharedBytes> for SharedSlice<T> {
    type Error = io::Error;

    fn try_from(bytes: SharedBytes) -> io::Result<Self> {
        let () = Self::CHECK;
        if bytes.len() % size_of::<T>() != 0 {
            let (length, name, size) = (bytes.len(), type_name::<T>(), size_of::<T>());
            let reason =
                format!("{length} bytes are no whole number of elements of type `{name}`, of {size} bytes each");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(Self { bytes, elements: PhantomData })
    }
}

/// The same memory, without a copy.
impl<T: Element> From<SharedSlice<T>> for SharedBytes {
    fn from(slice: SharedSlice<T>) -> Self {
        slice.bytes
    }
}

impl<T: Element + PartialEq> PartialEq for SharedSlice<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Element + Eq> Eq for SharedSlice<T> {}

impl<T: Element + Hash> Hash for SharedSlice<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Element> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSlice<{}>({} elements)", type_name::<T>(), self.len())
    }
}

impl<T: Element> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de, T: Element> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = SharedBytes::deserialize(deserializer)?;
        reason::noted(Self::try_from(bytes)).map_err(D::Error::custom)
    }
}
