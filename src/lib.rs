//! Keeps Unkey identities equal to `Identity` resources.

pub mod unkey;
