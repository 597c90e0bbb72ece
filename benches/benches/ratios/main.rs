//! The benchmark: ours, its peers and the raw limits in one run, their calls interleaved, as ratios against the bars.
//!
//! `cargo bench -p offproc-bench --bench ratios -- --help` prints the options.

#[cfg(not(target_os = "linux"))]
compile_error!("the benchmark reads /proc, and its raw limits are Linux's: it runs on Linux only");

mod figure;
mod interleave;
mod load;
mod machine;
mod options;
mod output;
mod pause;
mod peers;
mod procfs;
mod quiet;
mod runtimes;
mod scenarios;
mod stats;

use options::{Options, Request};
use output::Output;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    // This program is started anew in several parts. A worker of ours never gets here; a peer's process leaves here.
    peers::play::play();
    procspawn::init();
    let names: Vec<_> = scenarios::ALL.iter().map(|scenario| (scenario.name, scenario.about)).collect();
    let options = match Options::from_arguments(std::env::args().skip(1), &names) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprintln!("ratios: {reason}; see --help");
            return ExitCode::FAILURE;
        }
    };
    let mut output = Output::new(options.json.as_deref());
    output.record("machine", machine::describe(&options));
    let mut broken = false;
    for scenario in scenarios::ALL.iter().filter(|scenario| options.wants(scenario.name)) {
        let others = quiet::wait(&options);
        output.begin(scenario.name, scenario.about, others);
        let began = Instant::now();
        if let Err(error) = (scenario.run)(&options, &mut output) {
            // A slow machine is no failure; a call that fails is one.
            println!("  {} failed: {error}", scenario.name);
            broken = true;
        }
        println!("  ({:.1} s)", began.elapsed().as_secs_f64());
    }
    output.print_summary();
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
