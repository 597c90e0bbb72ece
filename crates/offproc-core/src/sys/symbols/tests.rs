use super::name_at;
use crate::sys::image::Image;

fn a_function_of_this_test() -> &'static str {
    module_path!()
}

#[test]
fn names_a_function_by_its_path() {
    let offset = Image::current().offset_of(a_function_of_this_test as *const () as usize).unwrap();
    assert_eq!(name_at(offset), Some("offproc_core::sys::symbols::tests::a_function_of_this_test"));
}

#[test]
fn names_nothing_in_the_middle_of_a_function() {
    let offset = Image::current().offset_of(a_function_of_this_test as *const () as usize).unwrap();
    assert_eq!(name_at(offset + 1), None);
}
