//! What to run, how long, and where the results go.

use std::path::PathBuf;
use std::time::Duration;

/// The command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Less of everything, for CI: the figures show that all of it works, not how fast it is.
    pub(crate) quick: bool,
    /// Wait for others to leave the machine alone before each scenario, for so long at most.
    pub(crate) patience: Duration,
    /// A file for the results, one JSON value a line.
    pub(crate) json: Option<PathBuf>,
    only: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Run(Options),
    Print(String),
}

impl Options {
    /// `scenarios`: the name of each, and what it is about.
    pub(crate) fn from_arguments(
        arguments: impl Iterator<Item = String>,
        scenarios: &[(&str, &str)],
    ) -> Result<Request, String> {
        let mut options = Self::default();
        let (mut bench, mut full) = (false, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--full" => full = true,
                "--patience" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    options.patience = Duration::from_secs(seconds.ok_or("--patience needs seconds")?);
                }
                "--json" => options.json = Some(arguments.next().ok_or("--json needs a file")?.into()),
                "--help" => return Ok(Request::Print(help(scenarios))),
                // Cargo says so to each of its benches; without it, we are run as a test.
                "--bench" => bench = true,
                // Test runners ask so; there is no test in here.
                "--list" => return Ok(Request::Print(String::new())),
                name if scenarios.iter().any(|(scenario, _)| *scenario == name) => options.only.push(argument),
                _ => return Err(format!("`{argument}` is neither an option nor a scenario")),
            }
        }
        if !bench && !full && !options.quick && options.only.is_empty() {
            return Ok(Request::Print("ratios: nothing to test; `cargo bench` runs it\n".to_owned()));
        }
        // A plain `cargo bench` should not take minutes.
        options.quick |= !full;
        Ok(Request::Run(options))
    }

    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == scenario)
    }

    /// The first in a quick run, the second in a full one.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

fn help(scenarios: &[(&str, &str)]) -> String {
    let mut help = "ratios [OPTIONS] [SCENARIO ...]\n\n\
                    --quick       everything, briefly (the default)\n\
                    --full        a few minutes, for figures that mean something\n\
                    --patience S  wait up to S seconds before each scenario for the machine to be quiet\n\
                    --json FILE   also write the results to FILE, one JSON value a line\n\nScenarios:\n"
        .to_owned();
    for (name, about) in scenarios {
        help += &format!("  {name:<13} {about}\n");
    }
    help
}
