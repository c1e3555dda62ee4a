//! Parquet encoding and reading back. The only module that knows arrow2 and parquet2.
