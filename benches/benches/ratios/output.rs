//! Where results go: a table on stdout, and one JSON value a line in a file.

use crate::figure::{Bar, Figure};
use crate::quiet::DISTURBING;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Output {
    file: Option<File>,
    scenario: &'static str,
    figures: Vec<Figure>,
    disturbed: Vec<(&'static str, f64)>,
}

impl Output {
    pub(crate) fn new(file: Option<&Path>) -> Self {
        let file = file.map(|path| File::create(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
        Self { file, scenario: "", figures: Vec::new(), disturbed: Vec::new() }
    }

    /// Notes which scenario the next results belong to, and how busy others kept the machine when it began.
    pub(crate) fn begin(&mut self, scenario: &'static str, about: &str, others: f64) {
        self.scenario = scenario;
        println!("\n{scenario}: {about}");
        if others > DISTURBING {
            self.disturbed.push((scenario, others));
        }
        self.record("begin", json!({ "others": others }));
    }

    /// Writes one result to the file.
    pub(crate) fn record(&mut self, kind: &str, mut result: Value) {
        result["kind"] = kind.into();
        result["scenario"] = self.scenario.into();
        if let Some(file) = &mut self.file {
            writeln!(file, "{result}").expect("the results file can be written");
        }
    }

    /// Adds a row to the table.
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str, bar: Bar, from: String) {
        let figure = Figure { name: name.into(), value, unit, bar, from };
        println!("{figure}");
        self.record("figure", figure.to_json());
        self.figures.push(figure);
    }

    /// Prints which bars were missed, and the likely cause.
    pub(crate) fn print_summary(&self) {
        let missed: Vec<_> = self.figures.iter().filter(|figure| figure.is_reached() == Some(false)).collect();
        let held = self.figures.iter().filter(|figure| figure.is_reached().is_some()).count();
        println!("\n{} of {held} bars reached; missed:", held - missed.len());
        for figure in missed {
            println!("{figure}");
        }
        if !self.disturbed.is_empty() {
            println!("\nThe machine was not quiet; others had this share of its CPUs at the start of:");
            for (scenario, share) in &self.disturbed {
                println!("  {scenario}: {:.0} %", share * 100.0);
            }
        }
    }
}
