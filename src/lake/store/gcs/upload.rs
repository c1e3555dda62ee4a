//! Creating an object: in one request, or in chunks that can be resumed.

use bytes::{BufMut, Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{HeaderValue, LOCATION};
use url::Url;

use super::super::{Created, ObjectMeta, StoreError};
use super::call::{Call, Request, Trouble};
use super::wire::{Answer, Resource, encode_crc32c};
use super::{Inner, describe};

/// Objects of this size and above are uploaded in chunks.
const CHUNKED: usize = 8 << 20;
/// Size of a chunk, a multiple of 256 KiB as GCS demands.
const CHUNK: usize = 8 << 20;

/// One object on its way.
struct Upload<'a> {
    store: &'a Inner,
    name: &'a str,
    body: Bytes,
    crc32c: u32,
}

/// Creates the object if there is none of that name.
pub(super) async fn create(store: &Inner, name: &str, body: Bytes) -> Result<Created, StoreError> {
    let upload = Upload { store, name, crc32c: crc32c::crc32c(&body), body };
    let mut call = Call::new(store, "create", name);
    let answer = if upload.body.len() < CHUNKED {
        call.send(&upload.single()?).await?
    } else {
        upload.in_chunks(&mut call).await?
    };
    match answer.status.as_u16() {
        200 | 201 => upload.confirm(&call, &answer).await,
        403 | 412 => upload.read_back(&call, &answer).await,
        _ if answer.found_damage() => {
            Err(call.transient(format!("the content was damaged on the way: {}", answer.words())))
        }
        _ => Err(call.refused(&answer)),
    }
}

impl Upload<'_> {
    /// Compares what GCS says it stored with what was sent.
    async fn confirm(&self, call: &Call<'_>, answer: &Answer) -> Result<Created, StoreError> {
        let told = serde_json::from_slice::<Resource>(&answer.body).ok();
        let told = match told.and_then(|resource| resource.meta(&self.store.prefix)) {
            Some(meta) => Some(meta),
            None => describe(self.store, "create", self.name).await?,
        };
        match told {
            Some(ObjectMeta { size, crc32c, .. })
                if size == self.body.len() as u64 && crc32c.is_none_or(|found| found == self.crc32c) =>
            {
                Ok(Created::New)
            }
            Some(meta) => Err(call.permanent(format!(
                "GCS says it stored {} bytes with CRC-32C {:08x?} where {} bytes with {:08x} were sent",
                meta.size,
                meta.crc32c,
                self.body.len(),
                self.crc32c
            ))),
            None => Err(call.permanent("GCS says it stored the object and then knows of none".into())),
        }
    }

    /// After a 412, or the 403 that a writer gets who may not overwrite: the object is there, or the answer had another reason.
    async fn read_back(&self, call: &Call<'_>, answer: &Answer) -> Result<Created, StoreError> {
        match describe(self.store, "create", self.name).await {
            Ok(Some(_)) => Ok(Created::Exists),
            Ok(None) if answer.status.as_u16() == 412 => Err(call.permanent(format!(
                "{}, and yet there is no such object: another condition fails (retention, encryption or access policy of bucket {})",
                answer.words(),
                self.store.bucket
            ))),
            Ok(None) => Err(call.refused(answer)),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Err(call.permanent(format!(
                "bucket {} refuses it ({}), and also to be asked whether the object is there; grant storage.objects.create, \
                 storage.objects.get and storage.objects.list",
                self.store.bucket,
                answer.words()
            ))),
        }
    }

    /// Everything in one `multipart` request. GCS refuses content that does not match the checksum.
    fn single(&self) -> Result<Request, StoreError> {
        let boundary = self.store.random_hex();
        let head = format!(
            "--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{}\r\n--{boundary}\r\ncontent-type: {}\r\n\r\n",
            self.description(),
            self.media_type()
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let mut body = BytesMut::with_capacity(head.len() + self.body.len() + tail.len());
        body.put_slice(head.as_bytes());
        body.put_slice(&self.body);
        body.put_slice(tail.as_bytes());
        let kind = self.value(&format!("multipart/related; boundary={boundary}"))?;
        let request = self.insert("multipart")?.header("content-type", kind);
        Ok(request.body(body.freeze()))
    }

    /// Through a session, begun anew as often as GCS forgets it.
    async fn in_chunks(&self, call: &mut Call<'_>) -> Result<Answer, StoreError> {
        loop {
            let begin = self
                .insert("resumable")?
                .header("content-type", HeaderValue::from_static("application/json; charset=UTF-8"))
                .header("x-upload-content-type", HeaderValue::from_static(self.media_type()))
                .header("x-upload-content-length", HeaderValue::from(self.body.len()))
                .body(Bytes::from(self.description()));
            let begun = call.send(&begin).await?;
            if !begun.status.is_success() {
                return Ok(begun);
            }
            let trouble = match session(&begun, &begin.url) {
                Some(session) => match self.feed(call, &session).await? {
                    Some(answer) => return Ok(answer),
                    None => Trouble::passing("GCS forgot the upload session"),
                },
                None => Trouble::passing("GCS began an upload without an address for it"),
            };
            call.again(trouble).await?;
        }
    }

    /// Sends chunks until the answer is about the whole object; none where the session is gone. After every failure GCS is
    /// asked what it has: an answer may have been lost, and of a chunk any part may be stored.
    async fn feed(&self, call: &mut Call<'_>, session: &Url) -> Result<Option<Answer>, StoreError> {
        let total = self.body.len();
        let (mut stored, mut most) = (0, 0);
        let mut asking = false;
        loop {
            let request = if asking { self.question(session)? } else { self.chunk(session, stored)? };
            let answer = match call.once(&request).await {
                Ok(answer) => answer,
                Err(trouble) => {
                    call.again(trouble).await?;
                    asking = true;
                    continue;
                }
            };
            match answer.status.as_u16() {
                308 => {}
                404 | 410 => return Ok(None),
                _ => return Ok(Some(answer)),
            }
            stored = usize::try_from(answer.stored()).unwrap_or(total).min(total);
            if stored > most {
                most = stored;
                call.progress();
            } else if !asking || stored == total {
                call.again(Trouble::passing("GCS stored nothing more of the upload")).await?;
            }
            // All is stored but the object is not finished: there is nothing left to send.
            asking = stored == total;
        }
    }

    fn chunk(&self, session: &Url, start: usize) -> Result<Request, StoreError> {
        let total = self.body.len();
        let end = (start + CHUNK).min(total);
        let range = self.value(&format!("bytes {start}-{}/{total}", end.saturating_sub(1)))?;
        let request = Request::new(Method::PUT, session.clone()).header("content-range", range);
        Ok(request.body(self.body.slice(start..end)))
    }

    fn question(&self, session: &Url) -> Result<Request, StoreError> {
        let range = self.value(&format!("bytes */{}", self.body.len()))?;
        let request = Request::new(Method::PUT, session.clone()).header("content-range", range);
        Ok(request.header("content-length", HeaderValue::from_static("0")))
    }

    /// A request that inserts the object if there is none. The idempotency token stays the same over its attempts.
    fn insert(&self, kind: &str) -> Result<Request, StoreError> {
        let mut url = self.store.bucket_url("upload/storage/v1/b", None);
        url.query_pairs_mut()
            .append_pair("uploadType", kind)
            .append_pair("ifGenerationMatch", "0")
            .append_pair("fields", Resource::FIELDS);
        let token = self.value(&self.store.random_hex())?;
        Ok(Request::new(Method::POST, url).header("x-goog-gcs-idempotency-token", token))
    }

    fn description(&self) -> String {
        serde_json::json!({
            "name": self.store.full_name(self.name),
            "contentType": self.media_type(),
            "crc32c": encode_crc32c(self.crc32c),
        })
        .to_string()
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json") => "application/json",
            Some("parquet") => "application/vnd.apache.parquet",
            _ => "application/octet-stream",
        }
    }

    fn value(&self, text: &str) -> Result<HeaderValue, StoreError> {
        HeaderValue::from_str(text).map_err(|error| StoreError::Permanent {
            op: "create",
            name: self.name.into(),
            cause: error.to_string(),
        })
    }
}

/// The address of an upload that was begun.
fn session(begun: &Answer, base: &Url) -> Option<Url> {
    base.join(begun.headers.get(LOCATION)?.to_str().ok()?).ok()
}
