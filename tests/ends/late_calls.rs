//! Calls late in the life of a program or a thread are a result or `Closed`, and a program that becomes another one
//! leaves nothing behind.

use offproc_tests::isolated;
use std::process::{Command, Stdio};

isolated!(
    in_a_handler_of_atexit_from_before_the_first_call,
    in_a_handler_of_atexit_from_after_the_first_call,
    in_a_handler_of_atexit_as_the_first,
    in_the_destructor_of_a_thread_local,
    in_the_destructor_of_a_thread_local_of_main,
    before_an_exec_leave_no_zombies,
    before_an_exec_with_a_shutdown_leave_no_zombies,
);

fn late(arguments: &[&str], word: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_late"));
    let output = program.args(arguments).stdin(Stdio::null()).output().expect("the program runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && printed == format!("{word}\n"), "{}: {printed}", output.status);
}

fn in_a_handler_of_atexit_from_before_the_first_call() {
    late(&["handler-before-the-first-call"], "called late");
}

fn in_a_handler_of_atexit_from_after_the_first_call() {
    late(&["handler-after-the-first-call"], "called late");
}

fn in_a_handler_of_atexit_as_the_first() {
    late(&["handler-and-no-call-before"], "called late");
}

fn in_the_destructor_of_a_thread_local() {
    late(&["thread-local", "other"], "called late");
}

fn in_the_destructor_of_a_thread_local_of_main() {
    late(&["thread-local", "main"], "called late");
}

fn before_an_exec_leave_no_zombies() {
    late(&["exec", "0", "at once"], "no zombies");
}

fn before_an_exec_with_a_shutdown_leave_no_zombies() {
    late(&["exec", "0", "shutdown"], "no zombies");
}
