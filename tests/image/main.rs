//! The image, without an engine that builds one: what the last stage of the Dockerfile holds is put into a folder, and the program runs with
//! that folder as its root, read-only, as the user that the Dockerfile names, against a real API server and the emulator.
//!
//! It is the program that these tests were built with, a debug build, linked as a release build is (`IMAGE_PROGRAM=target/release/unkey-operator`
//! takes one of those); and the libraries are this machine's, for the base image is not here. That the base has them is what its project says; [`root::BASE`] is the one place that repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test
#![cfg(target_os = "linux")]

mod build;
mod dockerfile;
#[allow(dead_code, unused_imports)] // it serves more tests than these
#[path = "../cluster/harness/mod.rs"]
mod harness;
mod image;
mod root;
mod runs;

/// A file of this repository.
fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
