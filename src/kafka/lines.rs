//! Records from files: JSON lines, plain or compressed, cut into chunks and keyed by listener.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::Value;

/// Longest line taken; a broker takes 1 MB unless told otherwise.
const MAX_LINE: u64 = 16 << 20;

/// Largest window that a zstd frame may ask for, as a power of two (`zstd --long=31`).
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Bytes at which a chunk is closed.
const CHUNK_BYTES: usize = 1 << 20;

/// Some lines of one file, ready to be sent.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Span>,
}

#[derive(Debug)]
struct Span {
    value: Range<usize>,
    key: Option<String>,
    line: u64,
}

/// One line, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Line in its file, from 1.
    pub number: u64,
    /// The `userId`, else the `sessionId`, as text; none where the line has neither or is no JSON object.
    pub key: Option<&'a str>,
    /// The line itself.
    pub value: &'a [u8],
}

impl Chunk {
    /// Lines in the chunk.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.records.iter().map(|span| Line {
            number: span.line,
            key: span.key.as_deref(),
            value: self.bytes.get(span.value.clone()).unwrap_or_default(),
        })
    }
}

/// Reads lines from a file or from standard input; zstd and gzip are told by their first bytes.
pub struct LineReader {
    input: Box<dyn Input>,
    line: u64,
}

/// A buffered reader that tells whether it can give a line without waiting.
trait Input: BufRead + Send {
    fn has_more(&self) -> bool;
}

impl<R: Read + Send> Input for BufReader<R> {
    fn has_more(&self) -> bool {
        memchr::memchr(b'\n', self.buffer()).is_some()
    }
}

/// A zstd frame, or one that says nothing, with which pzstd begins each frame (RFC 8878, 3.1).
fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xB5, 0x2F, 0xFD])
        || matches!(start, [first, 0x2A, 0x4D, 0x18, ..] if first & 0xF0 == 0x50)
}

impl LineReader {
    /// Opens `path`, or standard input for `-`. Bytes taken from the file are added to `taken` as they are read.
    ///
    /// # Errors
    /// The file cannot be opened or its first bytes cannot be read.
    pub fn open(path: &Path, taken: Arc<AtomicU64>) -> io::Result<Self> {
        let raw: Box<dyn Read + Send> =
            if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
        Self::new(raw, taken)
    }

    fn new(raw: Box<dyn Read + Send>, taken: Arc<AtomicU64>) -> io::Result<Self> {
        let mut raw = BufReader::with_capacity(256 << 10, Counted { raw, taken });
        let start = raw.fill_buf()?;
        let input: Box<dyn Input> = if is_zstd(start) {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(BufReader::with_capacity(256 << 10, decoder))
        } else if start.starts_with(&[0x1F, 0x8B]) {
            Box::new(BufReader::with_capacity(256 << 10, flate2::bufread::MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self { input, line: 0 })
    }

    /// The line read last, from 1; 0 before the first.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next lines, at most `max_records`, and no more than there are without waiting; none at the end. Empty lines are left out.
    ///
    /// # Errors
    /// The input cannot be read or decompressed, or a line is longer than 16 MiB.
    pub fn next_chunk(&mut self, max_records: usize) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        let mut has_more = true;
        // What a slow pipe gave is passed on before the next is waited for.
        while chunk.len() < max_records.max(1)
            && chunk.bytes.len() < CHUNK_BYTES
            && (has_more || chunk.is_empty())
        {
            let start = chunk.bytes.len();
            let read = (&mut self.input).take(MAX_LINE + 1).read_until(b'\n', &mut chunk.bytes)?;
            if read == 0 {
                break;
            }
            self.line += 1;
            has_more = self.input.has_more();
            if read as u64 > MAX_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is longer than 16 MiB"));
            }
            let value = chunk.bytes.get(start..).unwrap_or_default();
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            let value = value.strip_suffix(b"\r").unwrap_or(value);
            if value.is_empty() {
                // However many there are, they fill no chunk.
                chunk.bytes.truncate(start);
                continue;
            }
            let span = Span { value: start..start + value.len(), key: key_of(value), line: self.line };
            chunk.records.push(span);
        }
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    #[serde(default)]
    user_id: Option<Value>,
    #[serde(default)]
    session_id: Option<Value>,
}

fn key_of(line: &[u8]) -> Option<String> {
    let keys: Keys = serde_json::from_slice(line).ok()?;
    let text = |value: Value| match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    };
    keys.user_id.and_then(text).or_else(|| keys.session_id.and_then(text))
}

struct Counted {
    raw: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Number, key and value of a line.
    type Read = (u64, Option<String>, Vec<u8>);

    fn read(bytes: Vec<u8>, max_records: usize) -> io::Result<Vec<Read>> {
        let mut reader = LineReader::new(Box::new(io::Cursor::new(bytes)), Arc::default())?;
        let mut all = Vec::new();
        while let Some(chunk) = reader.next_chunk(max_records)? {
            assert!(chunk.len() <= max_records);
            all.extend(chunk.lines().map(|l| (l.number, l.key.map(str::to_owned), l.value.to_vec())));
        }
        Ok(all)
    }

    const TEXT: &[u8] =
        b"{\"userId\":7,\"sessionId\":9}\n\n{\"sessionId\":8}\r\nnot json\n{\"userId\":\"u\"}";

    fn expected() -> Vec<Read> {
        vec![
            (1, Some("7".into()), b"{\"userId\":7,\"sessionId\":9}".to_vec()),
            (3, Some("8".into()), b"{\"sessionId\":8}".to_vec()),
            (4, None, b"not json".to_vec()),
            (5, Some("u".into()), b"{\"userId\":\"u\"}".to_vec()),
        ]
    }

    #[test]
    fn lines_are_numbered_and_keyed() {
        assert_eq!(read(TEXT.to_vec(), 2).expect("plain"), expected());
    }

    #[test]
    fn compressed_input_reads_as_plain() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
        encoder.window_log(28).expect("window");
        encoder.write_all(TEXT).expect("write");
        assert_eq!(read(encoder.finish().expect("zstd"), 100).expect("zstd"), expected());

        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(TEXT).expect("write");
        assert_eq!(read(encoder.finish().expect("gzip"), 100).expect("gzip"), expected());
    }

    #[test]
    fn a_file_may_begin_with_a_frame_that_says_nothing() {
        let frame = zstd::encode_all(TEXT, 1).expect("zstd");
        let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &frame].concat();
        assert_eq!(read(skipped, 100).expect("zstd"), expected());
    }

    #[test]
    fn many_empty_lines_are_not_the_end() {
        let lines = [&b"{}\n"[..], &b"\n".repeat(3 * CHUNK_BYTES), b"{}"].concat();
        assert_eq!(read(lines, 10).expect("plain").len(), 2);
    }

    #[test]
    fn what_a_slow_pipe_gave_is_not_held_back() {
        let (from, mut to) = io::pipe().expect("a pipe");
        // Who writes by blocks ends amid a line.
        to.write_all(b"{\"userId\":1}\n{\"userId\":2}\n{").expect("room");
        let mut reader = LineReader::new(Box::new(from), Arc::default()).expect("a reader");
        assert_eq!(reader.next_chunk(10).expect("two lines").map(|chunk| chunk.len()), Some(2));
        to.write_all(b"}").expect("room");
        drop(to);
        assert_eq!(reader.next_chunk(10).expect("the last").map(|chunk| chunk.len()), Some(1));
        assert!(reader.next_chunk(10).expect("the end").is_none());
    }

    #[test]
    fn cut_off_input_is_an_error() {
        let mut whole = zstd::encode_all(TEXT, 1).expect("zstd");
        whole.truncate(whole.len() - 3);
        assert!(read(whole, 100).is_err());
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert!(read(vec![b'x'; MAX_LINE as usize + 2], 1).is_err());
    }

    proptest! {
        #[test]
        fn every_line_comes_out_once(lines in prop::collection::vec("[^\r\n]{1,20}", 0..50), max in 1usize..10) {
            let got = read(lines.join("\n").into_bytes(), max).expect("readable");
            let got: Vec<String> = got.into_iter().map(|l| String::from_utf8(l.2).expect("utf-8")).collect();
            prop_assert_eq!(got, lines);
        }
    }
}
