//! The members of a JSON object that serde_json has found valid, as they are written.

/// Name and value of one member, both with their quotes.
pub type Member<'a> = (&'a str, &'a str);

/// The members in order, repeated ones too; none where the value is no object.
pub fn members(json: &str) -> Option<Vec<Member<'_>>> {
    let mut rest = json.trim_matches(is_blank).strip_prefix('{')?.strip_suffix('}')?;
    let mut members = Vec::new();
    while !rest.trim_matches(is_blank).is_empty() {
        let (member, behind) = split(rest, ',');
        let (name, value) = split(member, ':');
        members.push((name.trim_matches(is_blank), value.trim_matches(is_blank)));
        rest = behind;
    }
    Some(members)
}

/// Without white space outside of strings.
pub fn compact(json: &str) -> String {
    let mut quoted = Quoted::default();
    json.chars().filter(|&c| quoted.holds(c) || !is_blank(c)).collect()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Text before and behind the first `by` that stands in no string and no bracket.
fn split(text: &str, by: char) -> (&str, &str) {
    let (mut quoted, mut depth) = (Quoted::default(), 0);
    for (at, c) in text.char_indices() {
        if quoted.holds(c) {
            continue;
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if c == by && depth == 0 => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// Whether a character belongs to a string.
#[derive(Default)]
struct Quoted {
    inside: bool,
    escaped: bool,
}

impl Quoted {
    fn holds(&mut self, c: char) -> bool {
        let inside = self.inside;
        if self.escaped {
            self.escaped = false;
        } else if inside && c == '\\' {
            self.escaped = true;
        } else if c == '"' {
            self.inside = !inside;
        }
        inside || c == '"'
    }
}
