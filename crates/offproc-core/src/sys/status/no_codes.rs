//! The codes of signals: there are none.

pub(crate) fn code_name(_signal: i32, _code: i32) -> Option<&'static str> {
    None
}

pub(crate) fn has_address(_code: i32) -> bool {
    true
}

pub(crate) fn is_refused_call(_signal: i32) -> bool {
    false
}
