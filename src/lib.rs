//! Keeps Unkey identities equal to `Identity` resources.
