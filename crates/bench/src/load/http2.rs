//! One HTTP/2 connection, by hyper's client: its frames are not ours to write.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::request::{Answer, Fields};
use crate::Wrong;

/// A connection with its last answer.
pub(crate) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    fields: HeaderMap,
    body: Bytes,
}

impl Http2 {
    /// Opens it on a stream that has agreed on HTTP/2.
    ///
    /// # Errors
    /// [`Wrong`]
    pub(crate) async fn open<S>(stream: S) -> Result<Self, Wrong>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(wrong)?;
        // How it ends shows in the answers.
        tokio::spawn(async { connection.await.ok() });
        Ok(Self { sender, fields: HeaderMap::new(), body: Bytes::new() })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`Wrong`]
    pub(crate) async fn ask(&mut self, request: &http::Request<Full<Bytes>>) -> Result<Answer<'_>, Wrong> {
        self.sender.ready().await.map_err(wrong)?;
        let response = self.sender.send_request(request.clone()).await.map_err(wrong)?;
        let (head, body) = response.into_parts();
        self.fields = head.headers;
        self.body = body.collect().await.map_err(wrong)?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), fields: Fields::Map(&self.fields), body: &self.body })
    }
}

fn wrong(error: hyper::Error) -> Wrong {
    match error.is_closed() {
        true => Wrong::Closed,
        false => Wrong::Malformed(error.to_string()),
    }
}
