//! Records as Eventsim writes them, made here: the same on every machine.

use beatlytica::schemas::EventKind;

/// The line of a record, with its end; `turn` says which.
pub fn made_line(kind: EventKind, turn: usize) -> Vec<u8> {
    let (song, user, zip) = (turn * 7919 % 10_000, turn * 104_729 % 20_000, turn * 613 % 30_000);
    let song = format!(
        r#""artist":"Artist {}","song":"Song number {song}","duration":{}.09995"#,
        song / 3,
        100 + song % 200
    );
    let visit = format!(r#""ts":{},"sessionId":{user}"#, 1_714_953_600_000 + turn as i64 * 1_000);
    let page = r#","page":"NextSong","auth":"Logged In","method":"PUT","status":200"#;
    let device = format!(
        r#""level":"paid","itemInSession":{},"city":"City {}","zip":"{zip:05}","state":"CA","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_{}) AppleWebKit/537.77.4 (KHTML, like Gecko) Version/7.0.5 Safari/537.77.4\"","lon":-121.401102,"lat":38.662977"#,
        turn % 90,
        zip / 2,
        turn % 80,
    );
    let listener = format!(
        r#""userId":{user},"lastName":"Last{}","firstName":"First{}","gender":"M","registration":1714953600000"#,
        user % 1000,
        user % 3000,
    );
    let line = match kind {
        EventKind::PageView => format!("{{{visit}{page},{device},{listener},{song}}}\n"),
        _ => format!("{{{song},{visit},\"auth\":\"Logged In\",{device},{listener}}}\n"),
    };
    line.into_bytes()
}

/// Listen events of which no two have a text in common that wants repair, and all have two that do.
pub fn mangled_line(turn: usize) -> Vec<u8> {
    let line = String::from_utf8(made_line(EventKind::Listen, turn)).unwrap_or_default();
    let artist = format!(r#""artist":"Bj\u00C3\u00B6rk the {turn}th""#);
    let song = format!(r#""song":"\"J\u00C3\u00B3ga (mix {turn})\"""#);
    let rest = line.split_once(r#","duration""#).map_or("", |(_, rest)| rest);
    format!("{{{artist},{song},\"duration\"{rest}").into_bytes()
}
