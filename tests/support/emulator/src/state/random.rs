//! Ids and orders that look random and are the same for the same seed. Not for secrets.

/// A splitmix64 sequence.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `prefix_` and nine alphanumerics.
    pub fn id(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 62] = b"123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0";
        let mut bits = self.next();
        let mut id = format!("{prefix}_");
        for _ in 0..9 {
            // 62^9 is below 2^54, so one draw is enough for nine letters.
            let place = usize::try_from(bits % 62).unwrap_or(0);
            id.push(char::from(ALPHABET[place]));
            bits /= 62;
        }
        id
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = usize::try_from(self.next() % (end as u64 + 1)).unwrap_or(0);
            items.swap(end, other);
        }
    }
}
