use super::*;

static DATA: u8 = 1;
static mut CHANGING: u8 = 1;

fn here() {}

#[test]
fn offsets_and_addresses_go_there_and_back() {
    let image = Image::current();
    let code = here as fn() as usize;
    let offset = image.offset_of(code).unwrap();
    assert_eq!(image.address_of(offset), Some(code));
    for range in &image.code {
        assert!(!range.is_empty());
        for address in [range.start, range.start + range.len() / 2, range.end - 1] {
            assert_eq!(image.offset_of(address).and_then(|offset| image.address_of(offset)), Some(address));
        }
        assert_eq!(image.offset_of(range.end), None);
        assert_eq!(image.offset_of(range.start - 1), None);
    }
}

#[test]
fn data_are_not_code() {
    let image = Image::current();
    let (stack, heap) = (0_u8, Box::new(0_u8));
    let data =
        [(&raw const DATA).addr(), (&raw const CHANGING).addr(), (&raw const stack).addr(), (&raw const *heap).addr()];
    for address in data.into_iter().chain([0, 1, usize::MAX]) {
        assert!(!image.has_code_at(address));
        assert_eq!(image.offset_of(address), None);
        assert_eq!(image.address_of(address.wrapping_sub(image.base) as u64), None);
    }
}

#[test]
#[cfg(target_env = "gnu")]
fn a_shared_library_is_another_image() {
    let image = Image::current();
    let libc = libc::getpid as unsafe extern "C" fn() -> libc::pid_t as usize;
    assert_eq!(image.offset_of(libc), None);
    assert_eq!(image.address_of(libc.wrapping_sub(image.base) as u64), None);
}

#[test]
fn offsets_beyond_all_memory_are_refused() {
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
        assert_eq!(Image::current().address_of(offset), None);
    }
}

#[test]
fn the_build_is_the_same_each_time() {
    assert_eq!(Image::read().build(), Image::current().build());
    let itself = File::open(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(build_of(&itself).unwrap(), Image::current().build(), "in memory and in the file");
    let other = File::open("/bin/sh").unwrap();
    assert_ne!(build_of(&other).unwrap(), Image::current().build());
    assert!(build_of(&File::open("/dev/null").unwrap()).is_err(), "no executable at all");
    assert_ne!(Image::current().build(), Fingerprint::new().value(), "nothing of the executable is in it");
}

#[test]
#[cfg(target_env = "gnu")]
fn each_address_is_of_the_object_that_was_loaded_there() {
    assert_eq!(object_at(here as fn() as usize), Some(PathBuf::new()), "the main program has no name");
    let libc = object_at(libc::getpid as unsafe extern "C" fn() -> libc::pid_t as usize).unwrap();
    assert!(libc.to_string_lossy().contains("libc"), "{libc:?}");
    assert_eq!(object_at(1), None);
}
