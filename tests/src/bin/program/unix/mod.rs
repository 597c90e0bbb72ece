//! A program that uses offproc, for tests that watch one from outside. Its first argument says what it does.

mod before_hello;
mod deaths;
mod ends;
mod output;
mod signals;
mod surroundings;
mod workers;

use offproc_tests::Executor;

pub(crate) fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["linger", workers] => ends::linger(workers),
        ["end", workers, how] => ends::end(workers, Executor::FuturesBlockOn, how),
        ["end", workers, executor, how] => ends::end(workers, workers::executor_named(executor), how),
        ["tree", workers, how] => ends::tree(workers, how),
        ["exit-before-the-verdict"] => ends::exit_before_the_verdict(),
        ["go", workers, executor, how] => deaths::go(workers, executor, how),
        ["go-before-hello", workers, how] => before_hello::go_before_hello(workers, how),
        ["busy", workers, count] => ends::busy(workers, count.parse().expect("a number")),
        ["clone", workers] => ends::clone(workers),
        ["stop", workers, how] => signals::stop(workers, how),
        ["ask-the-terminal", workers, how] => signals::ask_the_terminal(workers, how),
        ["dispositions", workers] => signals::dispositions(workers),
        ["out-of-memory", group] => surroundings::out_of_memory(group),
        ["complain", how] => output::complain(how),
        ["chatter"] => output::chatter(),
        ["print"] => output::print(),
        ["log"] => output::log(),
        ["print-before-fork"] => output::print_before_fork(),
        ["give-up-starts"] => ends::give_up_starts(),
        ["without-its-file"] => surroundings::without_its_file(),
        ["attack", command @ ..] => surroundings::attack(command),
        ["call", arrangements @ ..] => surroundings::call(arrangements),
        ["load", library] => surroundings::load(library),
        ["memory"] => surroundings::memory(),
        ["serve"] => offproc::serve(),
        _ => println!("main ran"),
    }
}
