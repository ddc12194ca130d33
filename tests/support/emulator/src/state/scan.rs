//! The tokens of JSON as Go's decoder reads them. It must not know about containers.

/// Why a body is not JSON to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotJson(pub &'static str);

const SYNTAX: NotJson = NotJson("invalid character in the JSON body");
const ENDED: NotJson = NotJson("unexpected end of JSON input");
const RANGE: NotJson = NotJson("cannot unmarshal number into Go value of type float64");

/// A cursor over the body.
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn current(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.current(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    pub fn peek(&mut self) -> Result<u8, NotJson> {
        self.skip_space();
        self.current().ok_or(ENDED)
    }

    pub fn take(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek()? != byte {
            return Err(SYNTAX);
        }
        self.at += 1;
        Ok(())
    }

    /// After an item: true at a comma, false at the container's end.
    pub fn another(&mut self, end: u8) -> Result<bool, NotJson> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            _ if byte == end => Ok(false),
            _ => Err(SYNTAX),
        }
    }

    pub fn end(&mut self) -> Result<(), NotJson> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(SYNTAX) }
    }

    pub fn word(&mut self, word: &str) -> Result<(), NotJson> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(SYNTAX);
        }
        self.at += word.len();
        Ok(())
    }

    pub fn key(&mut self) -> Result<String, NotJson> {
        if self.peek()? != b'"' {
            return Err(SYNTAX);
        }
        let key = self.string()?;
        self.take(b':')?;
        Ok(key)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while matches!(self.current(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(SYNTAX) } else { Ok(()) }
    }

    pub fn number(&mut self) -> Result<String, NotJson> {
        let start = self.at;
        if self.current() == Some(b'-') {
            self.at += 1;
        }
        if self.current() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.current() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.current(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.current(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        match literal.parse::<f64>() {
            Ok(double) if double.is_finite() => Ok(literal),
            _ => Err(RANGE),
        }
    }

    pub fn string(&mut self) -> Result<String, NotJson> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while self.current().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            for chunk in self.bytes[start..self.at].utf8_chunks() {
                text.push_str(chunk.valid());
                // Go replaces each bad byte, Rust's own lossy conversion each bad sequence.
                text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            let byte = self.current().ok_or(ENDED)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escape()?),
                _ => return Err(SYNTAX),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        let byte = self.current().ok_or(ENDED)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(SYNTAX),
        })
    }

    fn unicode(&mut self) -> Result<char, NotJson> {
        let unit = self.four_hex(self.at).ok_or(SYNTAX)?;
        self.at += 4;
        if let Some(character) = char::from_u32(unit) {
            return Ok(character);
        }
        // A surrogate: with its other half one character, alone U+FFFD (and what follows is read for itself).
        let low = self.bytes[self.at..].starts_with(b"\\u").then(|| self.four_hex(self.at + 2)).flatten();
        match low {
            Some(low @ 0xDC00..=0xDFFF) if unit < 0xDC00 => {
                self.at += 6;
                Ok(char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
                    .unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            _ => Ok(char::REPLACEMENT_CHARACTER),
        }
    }

    fn four_hex(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
    }
}
