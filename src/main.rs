//! Entry point.
fn main() {
    print!("{}", unkey_operator::api::crd_yaml().unwrap_or_default());
}
