//! `unkey-operator check`: each finding on the real parts, and that nothing is changed by it.

mod asked;
mod cluster;
mod upstream;
