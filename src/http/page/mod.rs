//! The live page: files that the program carries in itself, and the headers they are sent with.
//!
//! The page loads nothing from elsewhere and runs nothing that is not in these files; it reads the API as any other
//! client does. Song titles are foreign text: the scripts put them into the page as text only, and the policy below
//! would stop what slipped through.

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use twox_hash::XxHash3_64;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file as it is sent.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    plain: Bytes,
    zipped: Bytes,
    etag: String,
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, plain: &'static [u8]) -> Self {
        let etag = format!("W/\"{:016x}\"", XxHash3_64::oneshot(plain));
        Self { path, content_type, plain: Bytes::from_static(plain), zipped: zip(plain), etag }
    }
}

fn zip(plain: &'static [u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail; if it did, the file would go out as it is.
    match encoder.write_all(plain).and_then(|()| encoder.finish()) {
        Ok(zipped) => zipped.into(),
        Err(_) => Bytes::from_static(plain),
    }
}

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal;)*) => {
        [$(Asset::new($path, $kind, include_bytes!(concat!("assets/", $file)))),*]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    Vec::from(assets! {
        "/" HTML "index.html";
        "/page/base.css" CSS "base.css";
        "/page/panels.css" CSS "panels.css";
        "/page/theme.js" SCRIPT "theme.js";
        "/page/main.js" SCRIPT "main.js";
        "/page/stream.js" SCRIPT "stream.js";
        "/page/dom.js" SCRIPT "dom.js";
        "/page/format.js" SCRIPT "format.js";
        "/page/songs.js" SCRIPT "songs.js";
        "/page/search.js" SCRIPT "search.js";
        "/page/audience.js" SCRIPT "audience.js";
        "/page/chart.js" SCRIPT "chart.js";
        "/page/states.js" SCRIPT "states.js";
        "/page/health.js" SCRIPT "health.js";
        "/page/icon.svg" SVG "icon.svg";
    })
});

/// The page's routes.
pub(super) fn routes(app: &mut web::ServiceConfig) {
    for asset in ASSETS.iter() {
        let answer = move |request: HttpRequest| async move { send(asset, &request) };
        app.service(web::resource(asset.path).get(answer).head(answer));
    }
}

fn send(asset: &'static Asset, request: &HttpRequest) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = header(IF_NONE_MATCH).split(',').any(|etag| etag.trim() == asset.etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(("Cache-Control", "no-cache"))
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("ETag", asset.etag.as_str()))
        .insert_header(("Vary", "Accept-Encoding"));
    if known {
        return response.finish();
    }
    response.content_type(asset.content_type);
    let takes_gzip = |coding: &str| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.next() != Some("q=0")
    };
    if header(ACCEPT_ENCODING).split(',').any(takes_gzip) {
        response.insert_header(("Content-Encoding", "gzip")).body(asset.zipped.clone())
    } else {
        response.body(asset.plain.clone())
    }
}
