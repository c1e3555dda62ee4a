//! The members of a JSON object as they are written, for what a parsed value no longer tells: digits and order.

use super::scan::string_end;

/// Walks over the members of an object that a parser has found valid; on anything else it ends early, no more.
pub(super) struct Members<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    /// Members of the object that `json` holds.
    pub(super) fn new(json: &'a [u8]) -> Self {
        let mut members = Self { json, at: 0 };
        members.skip_blanks();
        members.at += 1;
        members
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes the string that begins here.
    fn string(&mut self) -> Option<()> {
        self.at = string_end(self.json, self.at + 1)? + 1;
        Some(())
    }

    /// Passes the object or array that begins here.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Passes the value that begins here.
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let rest = self.json.get(self.at..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                self.at += rest.iter().position(ends)?;
                Some(())
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    /// Name (with its quotes) and value, both as written.
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip_blanks();
        }
        let name_start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        self.string()?;
        let name = self.json.get(name_start..self.at)?;
        self.skip_blanks();
        self.at += 1;
        self.skip_blanks();
        let value_start = self.at;
        self.value()?;
        Some((name, self.json.get(value_start..self.at)?))
    }
}

/// Appends `json`, a valid value, without the white space outside its strings.
pub(super) fn push_compact(to: &mut Vec<u8>, json: &[u8]) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        if !in_string && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        to.push(byte);
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            in_string = !in_string;
        }
    }
}
