//! The frame of a Parquet file: pages, column chunks, row groups, footer.
//!
//! parquet2's own file writer leaves out the dictionary page's offset and the column orders (without which readers
//! ignore text statistics), so the frame is written here, from the same thrift structures that parquet2 uses.

use bytes::Bytes;
use parquet_format_safe::thrift::protocol::TCompactOutputProtocol;
use parquet_format_safe::{
    ColumnChunk, ColumnMetaData, ColumnOrder, CompressionCodec, DataPageHeader, DictionaryPageHeader,
    Encoding, FileMetaData, KeyValue, PageEncodingStats, PageHeader, PageType, RowGroup, Statistics, Type,
    TypeDefinedOrder,
};

use super::compress::{Content, PageCompressor};
use super::error::EncodeError;
use super::schema::{ColumnSpec, elements};
use super::{EncodedObject, RangeMeta};

const MAGIC: &[u8; 4] = b"PAR1";

/// What a row of listens comes to, and the rest of a file; a file that grows past what is reserved is copied.
const USUAL_ROW_BYTES: usize = 28;
const USUAL_FRAME_BYTES: usize = 8 << 10;

/// A chunk of at most so many bytes is left as it is: zstd's frames would make it larger. Such are, in an hour of few
/// rows, the columns that are the same in every row.
const TOO_SMALL_TO_COMPRESS: usize = 64;

/// Smallest and largest value and the null count of a column chunk, in Parquet's plain encoding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ChunkStats {
    pub nulls: usize,
    pub min: Option<Vec<u8>>,
    pub max: Option<Vec<u8>>,
}

/// The column chunk being written.
struct OpenChunk {
    spec: ColumnSpec,
    codec: CompressionCodec,
    start: usize,
    dictionary: bool,
    data_start: Option<usize>,
    data_encoding: Encoding,
    data_pages: i32,
    values: i64,
    uncompressed: usize,
}

/// One file, growing in memory.
pub(super) struct FileBuilder<'a> {
    columns: &'a [ColumnSpec],
    compressor: &'a mut PageCompressor,
    body: Vec<u8>,
    open: Option<OpenChunk>,
    chunks: Vec<ColumnChunk>,
    groups: Vec<RowGroup>,
    group_start: usize,
    rows: u64,
}

impl<'a> FileBuilder<'a> {
    /// A file of about `rows` rows.
    pub(super) fn new(columns: &'a [ColumnSpec], compressor: &'a mut PageCompressor, rows: usize) -> Self {
        let mut body = Vec::with_capacity(rows * USUAL_ROW_BYTES + USUAL_FRAME_BYTES);
        body.extend_from_slice(MAGIC);
        let group_start = body.len();
        Self {
            columns,
            compressor,
            body,
            open: None,
            chunks: Vec::new(),
            groups: Vec::new(),
            group_start,
            rows: 0,
        }
    }

    /// Begins the next column's chunk; columns are written in schema order.
    pub(super) fn begin_chunk(&mut self, spec: ColumnSpec) {
        self.open = Some(OpenChunk {
            spec,
            codec: CompressionCodec::ZSTD,
            start: self.body.len(),
            dictionary: false,
            data_start: None,
            data_encoding: Encoding::PLAIN,
            data_pages: 0,
            values: 0,
            uncompressed: 0,
        });
    }

    /// Writes all of a chunk in dictionary encoding: its `distinct` values in plain encoding, then a data page of `rows`
    /// rows, definition levels and indices.
    pub(super) fn dictionary_pages(
        &mut self,
        values: &[u8],
        distinct: usize,
        page: &[u8],
        rows: usize,
    ) -> Result<(), EncodeError> {
        self.choose_codec(values.len() + page.len());
        let header = DictionaryPageHeader {
            num_values: count(self.open.as_ref(), distinct)?,
            encoding: Encoding::PLAIN,
            is_sorted: None,
        };
        self.page(PageType::DICTIONARY_PAGE, None, Some(header), values)?;
        if let Some(chunk) = &mut self.open {
            chunk.dictionary = true;
        }
        self.data_page(page, rows, Encoding::RLE_DICTIONARY)
    }

    /// Writes one data page of `rows` rows in plain encoding: definition levels, then values. Of a chunk's pages all but
    /// the last are large.
    pub(super) fn plain_page(&mut self, page: &[u8], rows: usize) -> Result<(), EncodeError> {
        if self.open.as_ref().is_some_and(|chunk| chunk.data_pages == 0) {
            self.choose_codec(page.len());
        }
        self.data_page(page, rows, Encoding::PLAIN)
    }

    fn choose_codec(&mut self, bytes: usize) {
        if let Some(chunk) = &mut self.open
            && bytes <= TOO_SMALL_TO_COMPRESS
        {
            chunk.codec = CompressionCodec::UNCOMPRESSED;
        }
    }

    fn data_page(&mut self, page: &[u8], rows: usize, encoding: Encoding) -> Result<(), EncodeError> {
        let header = DataPageHeader {
            num_values: count(self.open.as_ref(), rows)?,
            encoding,
            definition_level_encoding: Encoding::RLE,
            repetition_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let at = self.body.len();
        self.page(PageType::DATA_PAGE, Some(header), None, page)?;
        if let Some(chunk) = &mut self.open {
            chunk.data_start.get_or_insert(at);
            chunk.data_encoding = encoding;
            chunk.data_pages += 1;
            chunk.values += rows as i64;
        }
        Ok(())
    }

    fn page(
        &mut self,
        kind: PageType,
        data: Option<DataPageHeader>,
        dictionary: Option<DictionaryPageHeader>,
        page: &[u8],
    ) -> Result<(), EncodeError> {
        let uncompressed_page_size = count(self.open.as_ref(), page.len())?;
        let stored = match self.open.as_ref() {
            Some(chunk) if chunk.codec == CompressionCodec::ZSTD => {
                let content = match &data {
                    Some(header) if header.encoding == Encoding::RLE_DICTIONARY => Content::Indices,
                    _ if chunk.spec.kind.physical() == Type::BYTE_ARRAY => Content::Texts,
                    _ => Content::Numbers,
                };
                self.compressor.frame(content, page)?
            }
            _ => page,
        };
        let header = PageHeader {
            type_: kind,
            uncompressed_page_size,
            compressed_page_size: count(self.open.as_ref(), stored.len())?,
            crc: None,
            data_page_header: data,
            index_page_header: None,
            dictionary_page_header: dictionary,
            data_page_header_v2: None,
        };
        let header_start = self.body.len();
        let mut protocol = TCompactOutputProtocol::new(&mut self.body);
        header.write_to_out_protocol(&mut protocol).map_err(EncodeError::write)?;
        let header_size = self.body.len() - header_start;
        self.body.extend_from_slice(stored);
        if let Some(chunk) = &mut self.open {
            chunk.uncompressed += header_size + page.len();
        }
        Ok(())
    }

    /// Ends the chunk begun last.
    pub(super) fn end_chunk(&mut self, stats: ChunkStats) {
        let Some(chunk) = self.open.take() else { return };
        let compressed = self.body.len() - chunk.start;
        self.chunks.push(column_chunk(chunk, compressed, stats));
    }

    /// Ends a row group of `rows` rows.
    pub(super) fn end_row_group(&mut self, rows: usize) {
        let columns = std::mem::take(&mut self.chunks);
        let uncompressed = columns.iter().filter_map(|chunk| chunk.meta_data.as_ref());
        let total_byte_size = uncompressed.map(|chunk| chunk.total_uncompressed_size).sum();
        self.groups.push(RowGroup {
            columns,
            total_byte_size,
            num_rows: rows as i64,
            sorting_columns: None,
            file_offset: Some(self.group_start as i64),
            total_compressed_size: Some((self.body.len() - self.group_start) as i64),
            ordinal: i16::try_from(self.groups.len()).ok(),
        });
        self.group_start = self.body.len();
        self.rows += rows as u64;
    }

    /// Writes the footer.
    pub(super) fn finish(mut self, name: String, meta: &RangeMeta) -> Result<EncodedObject, EncodeError> {
        let footer = FileMetaData {
            version: 1,
            schema: elements(self.columns),
            num_rows: self.rows as i64,
            row_groups: self.groups,
            key_value_metadata: Some(key_values(meta)),
            created_by: Some(created_by()),
            column_orders: Some(vec![ColumnOrder::TYPEORDER(TypeDefinedOrder::new()); self.columns.len()]),
            encryption_algorithm: None,
            footer_signing_key_metadata: None,
        };
        let start = self.body.len();
        let mut protocol = TCompactOutputProtocol::new(&mut self.body);
        footer.write_to_out_protocol(&mut protocol).map_err(EncodeError::write)?;
        let size = self.body.len() - start;
        let size = u32::try_from(size).map_err(|_| EncodeError::TooLarge { column: "footer", size })?;
        self.body.extend_from_slice(&size.to_le_bytes());
        self.body.extend_from_slice(MAGIC);
        let crc32c = crc32c::crc32c(&self.body);
        Ok(EncodedObject { name, body: Bytes::from(self.body), rows: self.rows, crc32c })
    }
}

fn count(chunk: Option<&OpenChunk>, size: usize) -> Result<i32, EncodeError> {
    let column = chunk.map_or("", |chunk| chunk.spec.name);
    i32::try_from(size).map_err(|_| EncodeError::TooLarge { column, size })
}

fn column_chunk(chunk: OpenChunk, compressed: usize, stats: ChunkStats) -> ColumnChunk {
    let mut encodings = vec![Encoding::RLE, chunk.data_encoding];
    let mut pages = Vec::new();
    if chunk.dictionary {
        encodings.push(Encoding::PLAIN);
        let (page_type, encoding) = (PageType::DICTIONARY_PAGE, Encoding::PLAIN);
        pages.push(PageEncodingStats { page_type, encoding, count: 1 });
    }
    pages.push(PageEncodingStats {
        page_type: PageType::DATA_PAGE,
        encoding: chunk.data_encoding,
        count: chunk.data_pages,
    });
    let meta_data = ColumnMetaData {
        type_: chunk.spec.kind.physical(),
        encodings,
        path_in_schema: vec![chunk.spec.name.to_owned()],
        codec: chunk.codec,
        num_values: chunk.values,
        total_uncompressed_size: chunk.uncompressed as i64,
        total_compressed_size: compressed as i64,
        key_value_metadata: None,
        data_page_offset: chunk.data_start.unwrap_or(chunk.start) as i64,
        index_page_offset: None,
        dictionary_page_offset: chunk.dictionary.then_some(chunk.start as i64),
        statistics: Some(Statistics {
            max: None,
            min: None,
            null_count: Some(stats.nulls as i64),
            distinct_count: None,
            max_value: stats.max,
            min_value: stats.min,
        }),
        encoding_stats: Some(pages),
        bloom_filter_offset: None,
    };
    ColumnChunk {
        file_path: None,
        file_offset: chunk.start as i64,
        meta_data: Some(meta_data),
        offset_index_offset: None,
        offset_index_length: None,
        column_index_offset: None,
        column_index_length: None,
        crypto_metadata: None,
        encrypted_column_metadata: None,
    }
}

/// The form that readers parse (`application version x (build y)`) to work round known writers' faults.
fn created_by() -> String {
    format!("beatlytica version {} (build parquet2)", env!("CARGO_PKG_VERSION"))
}

fn key_values(meta: &RangeMeta) -> Vec<KeyValue> {
    let pairs = [
        ("beatlytica.topic", meta.topic.clone()),
        ("beatlytica.epoch", meta.epoch.to_string()),
        ("beatlytica.partition", meta.partition.to_string()),
        ("beatlytica.start_offset", meta.start.to_string()),
        ("beatlytica.end_offset", meta.end.to_string()),
        ("beatlytica.schema_version", meta.schema_version.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()
}
