//! What Eventsim does to song texts: it reads UTF-8 as Latin-1, and its source quotes titles that hold quotes.

/// The text as Eventsim puts it on the wire. `string_decode` of its readers undoes it.
pub(super) fn mangled(text: &str) -> String {
    let quoted;
    let text = if text.contains('"') || text.contains('\\') {
        quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        quoted.as_str()
    } else {
        text
    };
    text.bytes().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_mangled_as_eventsim_does() {
        assert_eq!(mangled("Beyoncé"), "BeyoncÃ©");
        assert_eq!(mangled("The \"Big\" One"), "\"The \\\"Big\\\" One\"");
        assert_eq!(mangled("plain"), "plain");
    }
}
