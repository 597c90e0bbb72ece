use super::*;

fn here(number: u32) -> u32 {
    number + 1
}

#[test]
#[cfg_attr(miri, ignore = "no program headers")]
fn a_function_is_found_at_its_place() {
    let address = here as fn(u32) -> u32 as usize;
    let offset = CodeOffset::of(address).unwrap();
    assert_eq!(offset.address().unwrap(), address);
    assert_eq!(postcard::from_bytes::<CodeOffset>(&postcard::to_allocvec(&offset).unwrap()), Ok(offset));
}

#[test]
#[cfg(target_env = "gnu")]
#[cfg_attr(miri, ignore = "no program headers")]
fn a_function_of_a_shared_library_is_refused() {
    let error = CodeOffset::of(libc::getpid as unsafe extern "C" fn() -> libc::pid_t as usize).unwrap_err();
    assert!(error.0.contains("comes from a shared library"), "{error}");
}

#[test]
#[cfg_attr(miri, ignore = "no program headers")]
fn a_place_without_code_is_refused() {
    for offset in [u64::MAX, u64::MAX / 2, 1 << 40] {
        let error = CodeOffset(offset).address().unwrap_err();
        assert_eq!(error.0, format!("offset {offset:#x} is not in the code of this worker's executable"));
    }
}
