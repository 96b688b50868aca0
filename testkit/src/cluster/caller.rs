//! Calls over connections that stay open, one for each node and thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Longer than any pause of a node: a call that was given up might still be carried out when the node goes on.
const DEADLINE: Duration = Duration::from_secs(60);

/// What became of a call.
#[derive(Debug)]
pub enum Called {
    /// It was answered with this status and body.
    Answered(u16, Bytes),
    /// The connection ended, or nothing came for a minute.
    Lost,
    /// There was no connection, so nothing was sent.
    NotSent,
}

/// Makes calls, one after the other.
pub struct Caller {
    connections: HashMap<SocketAddr, SendRequest<Full<Bytes>>>,
    // After the connections, which run on it.
    runtime: Runtime,
}

impl Caller {
    /// Without connections yet.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { connections: HashMap::new(), runtime: runtime.expect("a runtime starts") }
    }

    /// Sends a request and waits for its answer.
    pub fn call(&mut self, address: SocketAddr, request: Request<Full<Bytes>>) -> Called {
        let kept = self.connections.remove(&address);
        let (called, connection) = self.runtime.block_on(async {
            let Some(mut connection) = open(address, kept).await else { return (Called::NotSent, None) };
            match timeout(DEADLINE, exchange(&mut connection, request)).await {
                Ok(Ok((status, body))) => (Called::Answered(status, body), Some(connection)),
                Ok(Err(_)) | Err(_) => (Called::Lost, None),
            }
        });
        self.connections.extend(connection.map(|connection| (address, connection)));
        called
    }
}

impl Default for Caller {
    fn default() -> Self {
        Self::new()
    }
}

/// The connection that is there, if it is good, or a new one.
async fn open(
    address: SocketAddr,
    kept: Option<SendRequest<Full<Bytes>>>,
) -> Option<SendRequest<Full<Bytes>>> {
    if let Some(mut kept) = kept
        && kept.ready().await.is_ok()
    {
        return Some(kept);
    }
    let stream = timeout(DEADLINE, TcpStream::connect(address)).await.ok()?.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(u16, Bytes)> {
    let answer = connection.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
