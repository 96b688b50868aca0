//! One HTTP/1.1 connection: writes prepared bytes, reads one answer. Reads no more of it than the judgement needs.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::request::{Answer, Fields};
use crate::Wrong;

const MOST_HEADERS: usize = 48;
const FIRST_BYTES: usize = 1_536;
const MOST_BYTES: usize = 1 << 20;

/// A kept-alive connection with the bytes of its last answer.
pub(crate) struct Http1<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// A connection that has not asked yet.
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::with_capacity(FIRST_BYTES) }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`Wrong`]
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Wrong> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Wrong::Closed);
            }
            let Some(head) = Head::parse(&self.buffer)? else { continue };
            let end = head.bytes + head.body_bytes;
            if end > MOST_BYTES {
                return Err(Wrong::Malformed(format!("its body is {} bytes long", head.body_bytes)));
            }
            while self.buffer.len() < end {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(Wrong::Closed);
                }
            }
            let (fields, body) = self.buffer.split_at(head.bytes);
            return match self.buffer.len() == end {
                true => Ok(Answer { status: head.status, fields: Fields::Head(fields), body }),
                false => Err(Wrong::Malformed("there is more than was asked for".to_owned())),
            };
        }
    }
}

struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    fn parse(buffer: &[u8]) -> Result<Option<Self>, Wrong> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let malformed = |what: &str| Wrong::Malformed(what.to_owned());
        let parsed = response.parse(buffer).map_err(|error| malformed(&error.to_string()))?;
        let httparse::Status::Complete(bytes) = parsed else {
            return match buffer.len() < MOST_BYTES {
                true => Ok(None),
                false => Err(malformed("its head does not end")),
            };
        };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| header.value)
        };
        if value("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")) {
            return Err(malformed("it does not keep the connection alive"));
        }
        let length = value("content-length").and_then(|length| str::from_utf8(length).ok()?.parse().ok());
        let body_bytes = length.ok_or_else(|| malformed("it does not say its Content-Length"))?;
        Ok(Some(Self { status: response.code.unwrap_or_default(), bytes, body_bytes }))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn answered(pieces: &[&str]) -> Result<(u16, Vec<u8>), Wrong> {
        let (client, mut server) = duplex(4_096);
        let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        tokio::spawn(async move {
            let mut asked = [0; 4];
            server.read_exact(&mut asked).await.unwrap();
            for piece in pieces {
                server.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Http1::new(client);
        connection.ask(b"GET ").await.map(|answer| (answer.status, answer.body.to_vec()))
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_however_it_is_cut() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"][..],
            &["HTTP/1.1 2", "00 OK\r\nContent-Le", "ngth: 2\r\n\r", "\no", "k"],
        ] {
            assert_eq!(answered(pieces).await.unwrap(), (200, b"ok".to_vec()));
        }
        assert_eq!(answered(&["HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"]).await.unwrap(), (401, vec![]));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_said() {
        let closed = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        for (pieces, expected) in [
            (&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no"][..], "closed a connection"),
            (&[], "closed a connection"),
            (&["HTTP/1.1 200 OK\r\n\r\nok"], "Content-Length"),
            (&[closed], "keep the connection alive"),
            (&["SSH-2.0-x\r\n\r\n"], "no HTTP"),
            (&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore"], "more than was asked"),
        ] {
            let sentence = answered(pieces).await.unwrap_err().to_string();
            assert!(sentence.contains(expected), "{pieces:?}: {sentence}");
        }
    }
}
