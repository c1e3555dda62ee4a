//! The connections on which yup-oauth2 asks for tokens.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower_service::Service;
use yup_oauth2::CustomHyperClientBuilder;
use yup_oauth2::hyper::Uri;
use yup_oauth2::hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};

/// Connects to where a request is addressed, or always to `instead`: yup-oauth2 has the token server for users built in.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    instead: Option<Uri>,
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, addressed: Uri) -> Self::Future {
        Box::pin(self.inner.call(self.instead.clone().unwrap_or(addressed)))
    }
}

/// A client for yup-oauth2 with the machine's certificates.
///
/// # Errors
/// Where the machine has no certificates.
pub(super) fn client(instead: Option<Uri>) -> io::Result<CustomHyperClientBuilder<Connector>> {
    let provider = rustls::crypto::ring::default_provider();
    let inner = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)?
        .https_or_http()
        .enable_http1()
        .build();
    // Token requests are rare: an idle connection would have been closed by then.
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build::<_, String>(Connector { inner, instead });
    Ok(CustomHyperClientBuilder::from(client))
}
