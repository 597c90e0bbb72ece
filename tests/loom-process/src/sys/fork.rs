pub(crate) fn is_forked() -> bool {
    false
}
