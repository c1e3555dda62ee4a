//! A few encoders that all uploads share: what encoding costs in memory does not grow with the number of partitions.

use std::sync::{Mutex, PoisonError};

use super::codec::CodecError;
use super::encode::Encoder;
use super::parquet::failed;
use crate::blocking::Places;

/// Encoders for a limited number of jobs at once, on threads where blocking is allowed.
#[derive(Debug)]
pub struct Encoders {
    places: Places,
    level: i32,
    idle: Mutex<Vec<Encoder>>,
}

impl Encoders {
    /// At most `slots` jobs at once; `level` is zstd's, 1 to 19.
    pub fn new(slots: usize, level: i32) -> Self {
        Self { places: Places::new(slots), level, idle: Mutex::new(Vec::new()) }
    }

    /// Runs `work` with an encoder as soon as one is free; `what` is named in an error.
    ///
    /// # Errors
    /// Those of `work`, or that it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        what: String,
        work: impl FnOnce(&mut Encoder) -> Result<T, CodecError> + Send + 'static,
    ) -> Result<T, CodecError> {
        let lost = |cause: String| CodecError { name: what.clone(), cause };
        let place = self.places.place().await;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut encoder = match idle {
            Some(encoder) => encoder,
            None => Encoder::with_level(self.level).map_err(|error| failed(&what, error))?,
        };
        let job = place.run(move || {
            let result = work(&mut encoder);
            (encoder, result)
        });
        let (encoder, result) = job.await.map_err(|error| lost(format!("encoding failed: {error}")))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(encoder);
        result
    }
}
