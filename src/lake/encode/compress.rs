//! zstd frames for pages: compressed where that can pay, stored where it cannot.

use super::error::EncodeError;

/// Index pages up to this size are stored: few become smaller, for a Huffman table takes about the space that it saves, and
/// building it is most of what compressing so small a page costs.
const SMALL_INDEX_PAGE: usize = 512;

/// What is in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Texts in plain encoding.
    Texts,
    /// Fixed-width values in plain encoding.
    Numbers,
    /// Definition levels and bit-packed indices into a dictionary.
    Indices,
}

/// The zstd level for numbers where texts have level 1: the same search for repetitions, but what does not repeat is left as
/// it is. Of times, offsets and doubles that is what no Huffman table makes smaller.
const NUMBERS_LEVEL: i32 = -1;

/// Makes zstd frames; the contexts are kept from page to page.
pub(super) struct PageCompressor {
    context: zstd::bulk::Compressor<'static>,
    /// For numbers, where they have a level of their own.
    numbers: Option<zstd::bulk::Compressor<'static>>,
    frame: Vec<u8>,
}

impl PageCompressor {
    /// `level` is zstd's, 1 to 19.
    pub(super) fn new(level: i32) -> Result<Self, EncodeError> {
        let context = |level| zstd::bulk::Compressor::new(level).map_err(EncodeError::write);
        let numbers = if level == 1 { Some(context(NUMBERS_LEVEL)?) } else { None };
        Ok(Self { context: context(level)?, numbers, frame: Vec::new() })
    }

    /// A frame that holds `page`.
    pub(super) fn frame(&mut self, content: Content, page: &[u8]) -> Result<&[u8], EncodeError> {
        self.frame.clear();
        if content == Content::Indices && page.len() <= SMALL_INDEX_PAGE {
            store(page, &mut self.frame);
        } else {
            self.frame.reserve(zstd::zstd_safe::compress_bound(page.len()));
            let context = match (content, &mut self.numbers) {
                (Content::Numbers, Some(numbers)) => numbers,
                _ => &mut self.context,
            };
            context.compress_to_buffer(page, &mut self.frame).map_err(EncodeError::write)?;
        }
        Ok(&self.frame)
    }
}

/// Appends a zstd frame of one raw block (RFC 8878, section 3.1.1) with a page of at most [`SMALL_INDEX_PAGE`] bytes: the
/// magic number, a descriptor that says "single segment" and how wide the content's size is, that size, the block.
fn store(page: &[u8], frame: &mut Vec<u8>) {
    frame.extend_from_slice(&0xFD2F_B528_u32.to_le_bytes());
    match u8::try_from(page.len()) {
        Ok(size) => frame.extend_from_slice(&[0x20, size]),
        Err(_) => {
            frame.push(0x60);
            frame.extend_from_slice(&((page.len() - 256) as u16).to_le_bytes());
        }
    }
    let last_raw_block = (page.len() as u32) << 3 | 1;
    frame.extend(last_raw_block.to_le_bytes().iter().take(3));
    frame.extend_from_slice(page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_frames_of_every_size_are_read_by_zstd() {
        for size in 0..=SMALL_INDEX_PAGE {
            let page: Vec<u8> = (0..size).map(|at| (at * at / 256) as u8).collect();
            let mut frame = Vec::new();
            store(&page, &mut frame);
            assert_eq!(zstd::bulk::decompress(&frame, size).unwrap(), page, "{size} bytes at once");
            assert_eq!(zstd::stream::decode_all(&*frame).unwrap(), page, "{size} bytes as a stream");
        }
    }

    #[test]
    fn only_small_index_pages_are_stored() {
        let size = |content, page: &[u8]| PageCompressor::new(1).unwrap().frame(content, page).unwrap().len();
        let (small, larger) = (vec![0; SMALL_INDEX_PAGE], vec![0; SMALL_INDEX_PAGE + 1]);
        assert!(size(Content::Indices, &small) > small.len());
        assert!(size(Content::Indices, &larger) < 100);
        assert!(size(Content::Numbers, &small) < 100);
        assert!(size(Content::Texts, &small) < 100);
    }

    #[test]
    fn numbers_of_the_fastest_level_are_only_searched_for_repetitions() {
        // Nothing repeats, but half of each byte says nothing.
        let mut random = fastrand::Rng::with_seed(1);
        let halves: Vec<u8> = (0..4000).map(|_| random.u8(..16)).collect();
        let size = |level, content, page: &[u8]| {
            let frame = PageCompressor::new(level).unwrap().frame(content, page).unwrap().to_vec();
            assert_eq!(zstd::bulk::decompress(&frame, page.len()).unwrap(), page);
            frame.len()
        };
        assert!(size(1, Content::Texts, &halves) < 2500);
        assert!(size(1, Content::Numbers, &halves) > 3900);
        assert!(size(1, Content::Numbers, &[7; 4000]) < 100);
        assert_eq!(size(2, Content::Numbers, &halves), size(2, Content::Texts, &halves));
    }
}
