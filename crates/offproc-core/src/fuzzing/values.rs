//! Any bytes as a value: as types of many shapes, which must not take more memory than there are bytes.

use super::script::{Script, Shape};
use crate::job::codec;
use std::collections::{BTreeSet, LinkedList, VecDeque};

/// The first byte says as which type.
#[doc(hidden)]
pub fn values(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(choice) = script.byte() else { return };
    let value = script.rest();
    match choice % 8 {
        0 => there_and_back::<Shape>(value),
        1 => there_and_back::<Vec<u32>>(value),
        2 => there_and_back::<(Vec<i64>, u8, Vec<u16>, String, Vec<i64>)>(value),
        3 => there_and_back::<(VecDeque<u16>, Vec<bool>, BTreeSet<i32>, f64)>(value),
        4 => there_and_back::<Vec<Vec<u128>>>(value),
        5 => there_and_back::<(Vec<f32>, Option<Vec<usize>>, char, Vec<i8>)>(value),
        6 => there_and_back::<Result<LinkedList<u64>, Vec<String>>>(value),
        _ => there_and_back::<Vec<(u8, Vec<()>)>>(value),
    }
}

/// What was read can be written, and comes to the same bytes.
fn there_and_back<T: serde::Serialize + serde::de::DeserializeOwned>(value: &[u8]) {
    let Ok(read) = codec::decode::<T>(value) else { return };
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    // A descriptor cannot be written here.
    if codec::encode_to(&read, &mut once).is_ok() {
        let again = codec::decode::<T>(&once).expect("what was written");
        codec::encode_to(&again, &mut twice).expect("what was written");
        assert_eq!(once, twice);
    }
}
