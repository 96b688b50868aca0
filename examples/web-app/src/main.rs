//! A web application that lets people sign in with obol: begin reading here, then `provider.rs`.

mod pages;
mod provider;
mod sessions;
mod view;

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::provider::{Provider, Registration};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:3000"))
        .await
        .context("LISTEN cannot be listened at")?;
    let listens_at = format!("http://{}", listener.local_addr()?);
    // Where browsers reach this application. Behind a proxy that ends TLS it begins with https.
    let base_url = setting("BASE_URL", &listens_at);
    let registration = Registration {
        issuer: setting("ISSUER", "http://127.0.0.1:8080"),
        client_id: setting("CLIENT_ID", "web-app"),
        client_secret: std::env::var("CLIENT_SECRET").context("CLIENT_SECRET is not set; see README.md")?,
        redirect_uri: format!("{base_url}/callback"),
    };
    let provider = Provider::discover(registration).await?;
    println!("listening at {base_url}");
    axum::serve(listener, pages::router(Arc::new(pages::App::new(provider, base_url)))).await?;
    Ok(())
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
