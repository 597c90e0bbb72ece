//! The service, as a program of its own, asked by a real HTTP client.

mod answers;
mod load;
mod overload;
mod pictures;
mod shutdown;
mod telemetry;
mod under_test;
