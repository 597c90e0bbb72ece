//! Arrays that are shared, not copied.

use bytemuck::{Pod, Zeroable};
use futures::executor::block_on;
use offproc::{Error, SharedBytes, SharedSlice, Transport, WorkerContext};
use offproc_tests::hostile;
use offproc_tests::portable::is_left_out;
use offproc_tests::refusal::refuse;
use offproc_tests::{Case, Executor, WorkerKind, isolated};
use rustix::fs::{FallocateFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Debug;
use std::io::ErrorKind;
use std::sync::Mutex;

isolated!(
    are_the_same_memory_on_both_sides,
    are_aligned_on_both_sides,
    have_all_kinds_of_elements,
    are_bytes_outside_a_call,
    of_no_whole_number_of_elements_are_errors,
    beyond_memory_are_errors,
    that_arrived_cannot_be_changed,
    become_the_buffers_of_other_crates,
);

const KINDS: [WorkerKind; 3] = [WorkerKind::Spawn, WorkerKind::ForkServer, WorkerKind::Fork];
const TRANSPORTS: [Transport; 2] = [Transport::SharedMemory, Transport::Stream];

fn context(kind: WorkerKind, transport: Transport) -> WorkerContext {
    Case::new(Executor::FuturesBlockOn, kind).builder().transport(transport).open().unwrap()
}

/// Runs a test with each kind of worker over each transport.
fn everywhere(test: impl Fn(&WorkerContext)) {
    for (kind, transport) in KINDS.into_iter().flat_map(|kind| TRANSPORTS.map(|transport| (kind, transport))) {
        let context = context(kind, transport);
        test(&context);
        block_on(context.close()).unwrap();
    }
}

/// The file whose memory this is: its device and number, as `/proc/self/maps` has them.
fn file_of<T>(memory: &[T]) -> String {
    let address = memory.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
    let is_in =
        |range: &str| range.split_once('-').is_some_and(|(from, to)| (number(from)..number(to)).contains(&address));
    let words = maps.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| is_in(words[0]));
    let words = words.expect("it is mapped");
    assert!(words[4] != "0" && words.last().unwrap().starts_with("(deleted)"), "a file without a name: {words:?}");
    format!("{} {}", words[3], words[4])
}

fn are_the_same_memory_on_both_sides() {
    if is_left_out("it shares no memory") {
        return;
    }
    for kind in KINDS {
        let context = context(kind, Transport::SharedMemory);
        let double = |numbers: SharedSlice<f64>| {
            let doubled = SharedSlice::from_fn(numbers.len(), |doubled| {
                assert!(doubled.iter().all(|number| *number == 0.0));
                doubled.iter_mut().zip(&*numbers).for_each(|(doubled, number)| *doubled = number * 2.0);
            });
            let doubled = doubled.unwrap();
            (file_of(&numbers), file_of(&doubled), doubled, numbers)
        };
        let numbers: Vec<f64> = (0..1 << 17).map(f64::from).collect();
        let numbers = SharedSlice::from_slice(&numbers).unwrap();
        for _ in 0..2 {
            let (read, written, doubled, back) = context.run_sync(double, numbers.clone()).wait().unwrap();
            assert_eq!(read, file_of(&numbers), "the argument is the caller's memory");
            assert_eq!(written, file_of(&doubled), "the result is the memory that the job has filled");
            assert_eq!(back.as_ptr(), numbers.as_ptr(), "what came with the job is what goes back");
            assert!(doubled.iter().zip(&*numbers).all(|(doubled, number)| *doubled == number * 2.0));
        }
        // A result is an argument as any.
        let (_, _, doubled, _) = context.run_sync(double, numbers.clone()).wait().unwrap();
        let (read, ..) = context.run_sync(double, doubled.clone()).wait().unwrap();
        assert_eq!(read, file_of(&doubled));
        block_on(context.close()).unwrap();
    }
}

/// A type that needs as much as the memory of a vector of any CPU.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// The remainder of its address.
fn rest<T>(memory: &[T]) -> usize {
    memory.as_ptr() as usize % 64
}

/// Travels as another format has it, which copies it.
#[derive(Serialize, Deserialize)]
struct Within(serde_bytes::ByteBuf);

fn are_aligned_on_both_sides() {
    let look = |(bytes, numbers, lines, Within(packed)): (SharedBytes, SharedSlice<f64>, SharedSlice<Line>, Within)| {
        let packed: SharedSlice<f64> = postcard::from_bytes(&packed).unwrap();
        let rests = [rest(&bytes), rest(&numbers), rest(&lines), rest(&packed)];
        assert_eq!(packed, numbers);
        let made = SharedSlice::from_slice(&numbers).unwrap();
        let rests = rests.into_iter().chain([rest(&made)]).collect::<Vec<_>>();
        (rests, bytes, numbers, lines, made)
    };
    let look_at_all = |context: &WorkerContext| {
        for count in [0, 1, 3, 5000] {
            let bytes = SharedBytes::copy_from_slice(&vec![1; count]).unwrap();
            let numbers = SharedSlice::from_slice(&vec![0.5; count]).unwrap();
            let lines = SharedSlice::from_slice(&vec![Line([7; 64]); count]).unwrap();
            let packed = Within(postcard::to_allocvec(&numbers).unwrap().into());
            assert_eq!([rest(&bytes), rest(&numbers), rest(&lines)], [0; 3]);
            let sent = (bytes.clone(), numbers.clone(), lines.clone(), packed);
            let (there, bytes_back, numbers_back, lines_back, made) = context.run_sync(look, sent).wait().unwrap();
            assert_eq!(there, [0; 5]);
            let here = [rest(&bytes_back), rest(&numbers_back), rest(&lines_back), rest(&made)];
            assert_eq!(here, [0; 4]);
            assert_eq!((bytes_back, numbers_back.clone(), lines_back), (bytes, numbers.clone(), lines));
            assert_eq!(made, numbers);
            let json = serde_json::to_string(&numbers).unwrap();
            assert_eq!(rest(&serde_json::from_str::<SharedSlice<f64>>(&json).unwrap()), 0);
        }
    };
    everywhere(look_at_all);
    // And where there is no memory that can be sealed.
    refuse(libc::SYS_memfd_create, libc::ENOSYS);
    everywhere(look_at_all);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Sample {
    time: u64,
    value: f32,
    channel: u16,
    flags: [u8; 2],
}

fn echo<T: Pod>(elements: SharedSlice<T>) -> SharedSlice<T> {
    SharedSlice::from_fn(elements.len(), |copy| copy.copy_from_slice(&elements)).unwrap()
}

fn have_all_kinds_of_elements() {
    fn travel<T: Pod + PartialEq + Debug>(context: &WorkerContext, elements: &[T]) {
        for elements in [elements, &[]] {
            let slice = SharedSlice::from_slice(elements).unwrap();
            let back = context.run_sync(echo, slice.clone()).wait().unwrap();
            assert_eq!((&*back, back.as_ref()), (elements, elements));
            assert_eq!(back, slice);
        }
    }
    everywhere(|context| {
        travel::<u8>(context, b"bytes");
        travel(context, &[i32::MIN, -1, i32::MAX]);
        travel(context, &[u64::MAX; 1000]);
        travel(context, &[f32::MIN_POSITIVE, -0.0, f32::INFINITY]);
        travel(context, &[u128::MAX, 1]);
        travel(context, &[[1.5, 2.5, 3.5], [0.0; 3]]);
        travel(context, &[Line([3; 64])]);
        travel(context, &[Sample { time: 1, value: 0.5, channel: 2, flags: [0, 255] }; 100]);
    });
    // Elements decide what is equal, not memory.
    let odd = SharedSlice::from_slice(&[f64::NAN]).unwrap();
    assert_ne!(odd, odd.clone());
    assert_eq!(SharedSlice::from_slice(&[0.0]).unwrap(), SharedSlice::from_slice(&[-0.0]).unwrap());
    assert_eq!(format!("{odd:?}"), "SharedSlice<f64>(1 elements)");
    assert_eq!(SharedSlice::try_from(&[1_u16, 2][..]).unwrap()[1], 2);
}

fn are_bytes_outside_a_call() {
    let numbers = SharedSlice::from_slice(&[1_u16, 0x0302]).unwrap();
    let bytes = bytemuck::cast_slice::<u16, u8>(&numbers).to_vec();
    assert_eq!(serde_json::to_string(&numbers).unwrap(), serde_json::to_string(&bytes).unwrap());
    let packed = postcard::to_allocvec(&numbers).unwrap();
    assert_eq!(packed, postcard::to_allocvec(&serde_bytes::ByteBuf::from(bytes)).unwrap());
    assert_eq!(postcard::from_bytes::<SharedSlice<u16>>(&packed).unwrap(), numbers);
    // There and back between the two, for nothing.
    let bytes = SharedBytes::from(numbers.clone());
    assert_eq!(bytes.as_ptr(), numbers.as_ptr().cast());
    let again = SharedSlice::<[u8; 2]>::try_from(bytes).unwrap();
    assert_eq!(again.as_ptr().cast(), numbers.as_ptr());
}

/// Ten bytes as it is sent, and numbers as it arrives.
#[derive(Debug)]
struct Ten;

impl Serialize for Ten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SharedBytes::copy_from_slice(&[1; 10]).unwrap().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SharedSlice::<u64>::deserialize(deserializer).map(|_| Self)
    }
}

const NOT_WHOLE: &str = "10 bytes are no whole number of elements of type `u64`, of 8 bytes each";

fn of_no_whole_number_of_elements_are_errors() {
    let bytes = SharedBytes::copy_from_slice(&[1; 10]).unwrap();
    let error = SharedSlice::<u64>::try_from(bytes).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, NOT_WHOLE));
    let error = serde_json::from_str::<SharedSlice<u64>>("[0,0,0,0,0,0,0,0,0,0]").unwrap_err();
    assert!(error.to_string().contains(NOT_WHOLE), "{error}");
    everywhere(|context| {
        let there = context.run_sync(|_: Ten| (), Ten).wait().unwrap_err();
        let back = context.run_sync(|()| Ten, ()).wait().unwrap_err();
        for error in [there, back] {
            assert!(matches!(error, Error::Decode(_)), "{error:?}");
            assert!(error.to_string().contains(NOT_WHOLE), "{error}");
        }
    });
}

fn beyond_memory_are_errors() {
    let no_memory = |made: std::io::Result<SharedSlice<u64>>, length: usize| {
        let error = made.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    };
    for length in [usize::MAX, usize::MAX / 8 + 1] {
        no_memory(SharedSlice::from_fn(length, |_| panic!("there is no such memory")), length);
    }
    // Of these it is the bytes that are named.
    for length in [usize::MAX / 8, isize::MAX as usize / 8 + 1, isize::MAX as usize / 8, 1 << 50] {
        no_memory(SharedSlice::from_fn(length, |_| panic!("there is no such memory")), length * 8);
    }
    for length in [usize::MAX, isize::MAX as usize + 1, isize::MAX as usize, 1 << 53] {
        let error = SharedBytes::from_fn(length, |_| panic!("there is no such memory")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    }
}

/// What a job has returned, and still has.
static KEPT: Mutex<Option<SharedSlice<u64>>> = Mutex::new(None);

/// Tries all there is to change memory that this worker has returned, and which of them the kernel allowed.
fn change(length: usize) -> Vec<String> {
    let is_ours = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains("offproc-bytes"))
    };
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap);
    let paths: Vec<_> = descriptors.filter(is_ours).map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 1, "the memory is one file");
    let file = rustix::fs::open(&paths[0], OFlags::RDWR, Mode::empty()).unwrap();
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let kept = KEPT.lock().unwrap();
    let start = kept.as_ref().unwrap().as_ptr().cast_mut().cast();
    let map = |flags| {
        // SAFETY: a new mapping, to which nothing refers.
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::WRITE, flags, &file, 0) }.map(drop)
    };
    let tried: [(&str, Result<(), Errno>); 8] = [
        ("write", rustix::io::pwrite(&file, &[1], 0).map(drop)),
        ("shrink", rustix::fs::ftruncate(&file, 0)),
        ("grow", rustix::fs::ftruncate(&file, 1 << 30)),
        ("punch a hole", rustix::fs::fallocate(&file, punch, 0, length as u64)),
        ("allocate more", rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 1 << 30)),
        ("map it to write", map(MapFlags::SHARED)),
        // SAFETY: nothing is written to it.
        ("make it writable", unsafe {
            rustix::mm::mprotect(start, length, MprotectFlags::READ | MprotectFlags::WRITE)
        }),
        ("add seals", rustix::fs::fcntl_add_seals(&file, SealFlags::FUTURE_WRITE)),
    ];
    tried.into_iter().filter(|(_, result)| result.is_ok()).map(|(what, _)| what.to_owned()).collect()
}

fn that_arrived_cannot_be_changed() {
    if is_left_out("what arrives is a copy") {
        return;
    }
    for kind in KINDS {
        let context = context(kind, Transport::SharedMemory);
        let make = |count: usize| {
            let numbers = SharedSlice::from_fn(count, |numbers| numbers.fill(7)).unwrap();
            KEPT.lock().unwrap().insert(numbers).clone()
        };
        let numbers = context.run_sync(make, 4096).wait().unwrap();
        assert_eq!(context.run_sync(change, 4096 * 8).wait().unwrap(), [""; 0], "{kind:?}");
        // Its end is not the memory's.
        context.kill();
        block_on(context.close()).unwrap_or_default();
        assert_eq!(*numbers, [7; 4096]);
    }
    // It has a mapping to write to, and has sealed the memory as far as that allows.
    let context = context(WorkerKind::Spawn, Transport::SharedMemory);
    let send = |()| -> SharedSlice<u8> {
        let file = rustix::fs::memfd_create("hostile", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&file, 64).unwrap();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, to which nothing refers.
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), 64, access, MapFlags::SHARED, &file, 0) }.unwrap();
        assert_eq!(rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE), Err(Errno::BUSY));
        let seals = SealFlags::FUTURE_WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        // A reference to the first descriptor, as 64 bytes.
        hostile::answer(&[1, 0, 64, 1, 0], &[file]);
        hostile::stay()
    };
    let error = context.run_sync(send, ()).wait().unwrap_err();
    assert!(matches!(&error, Error::Decode(e) if e.to_string().contains("the memory is not sealed")), "{error:?}");
    context.kill();
    block_on(context.close()).unwrap_or_default();
}

fn become_the_buffers_of_other_crates() {
    for (kind, transport) in [(WorkerKind::Spawn, TRANSPORTS[0]), (WorkerKind::ForkServer, TRANSPORTS[1])] {
        let context = context(kind, transport);
        let numbers = SharedSlice::from_slice(&[1_i32, -2, 3]).unwrap();
        let read = |numbers: SharedSlice<i32>| {
            let start = numbers.as_ptr();
            let buffer = arrow_buffer::Buffer::from(SharedBytes::from(numbers));
            assert_eq!(buffer.as_ptr(), start.cast());
            let column = arrow_buffer::ScalarBuffer::<i32>::from(buffer);
            column.iter().map(|number| i64::from(*number)).sum::<i64>()
        };
        assert_eq!(context.run_sync(read, numbers.clone()).wait().unwrap(), 2);
        let back = context.run_sync(echo, numbers).wait().unwrap();
        let start = back.as_ptr().cast();
        let bytes = bytes::Bytes::from(SharedBytes::from(back));
        let (low, buffer) = (bytes.slice(..4), arrow_buffer::Buffer::from(bytes));
        // They keep the memory, whatever becomes of the rest.
        block_on(context.close()).unwrap();
        assert_eq!((buffer.as_ptr(), low.as_ptr()), (start, start));
        assert_eq!((buffer.typed_data::<i32>(), &*low), (&[1, -2, 3][..], &1_i32.to_ne_bytes()[..]));
        let empty = SharedBytes::copy_from_slice(&[]).unwrap();
        assert!(bytes::Bytes::from(empty.clone()).is_empty());
        assert!(arrow_buffer::ScalarBuffer::<i64>::from(arrow_buffer::Buffer::from(empty)).is_empty());
    }
}
