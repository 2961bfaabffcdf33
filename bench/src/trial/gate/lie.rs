//! What may come from an issuer's address that is not what the issuer would say.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A way to answer the requests for discovery document and key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// A page for people.
    Page,
    /// Half of a document, then the end.
    Half,
    /// A document that never ends.
    Endless,
    /// "It is over there", where it is not.
    Redirect,
    /// The document of another issuer.
    OtherIssuer,
    /// The right document, and a key set with keys that nobody uses.
    OtherKeys,
    /// The right document, whose keys are at another origin.
    KeysElsewhere,
    /// An error, with a page that would do.
    Error,
}

/// All of them.
pub(crate) const LIES: [Lie; 8] = [
    Lie::Page,
    Lie::Half,
    Lie::Endless,
    Lie::Redirect,
    Lie::OtherIssuer,
    Lie::OtherKeys,
    Lie::KeysElsewhere,
    Lie::Error,
];

impl Lie {
    /// Answers one request, which has come through a proxy and so names the whole URL.
    pub(super) async fn answer(self, connection: &mut TcpStream) -> std::io::Result<()> {
        let mut request = [0; 4096];
        let length = connection.read(&mut request).await?;
        let request = String::from_utf8_lossy(&request[..length]);
        let url = request.split(' ').nth(1).unwrap_or_default();
        let issuer = url.split("/.well-known").next().unwrap_or_default();
        if self == Self::Endless {
            return endless(connection).await;
        }
        let (status, header, body) = self.content(issuer, url);
        let length = if self == Self::Half { 2 * body.len() } else { body.len() };
        let head = format!("HTTP/1.1 {status}\r\n{header}\r\ncontent-length: {length}\r\n\r\n");
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
        connection.shutdown().await
    }

    fn content(self, issuer: &str, url: &str) -> (&'static str, String, String) {
        let json = || "content-type: application/json".to_owned();
        let document = |issuer: &str, keys: &str| {
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}/.well-known/jwks"}}"#)
        };
        let is_document = url.ends_with("openid-configuration");
        match self {
            Self::Page | Self::Endless => {
                ("200 OK", "content-type: text/html".to_owned(), "<!DOCTYPE html><p>Welcome".to_owned())
            }
            Self::Half => ("200 OK", json(), document(issuer, issuer)),
            Self::Redirect => ("302 Found", "location: http://127.0.0.1:9/".to_owned(), String::new()),
            Self::OtherIssuer => ("200 OK", json(), document("https://issuer.example.com", issuer)),
            Self::KeysElsewhere => ("200 OK", json(), document(issuer, "https://keys.example.com")),
            Self::OtherKeys if is_document => ("200 OK", json(), document(issuer, issuer)),
            Self::OtherKeys => ("200 OK", json(), other_keys()),
            Self::Error => ("500 Internal Server Error", json(), document(issuer, issuer)),
        }
    }
}

/// Until the other side has had enough.
async fn endless(connection: &mut TcpStream) -> std::io::Result<()> {
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":\"").await?;
    loop {
        connection.write_all(&[b'a'; 4096]).await?;
    }
}

/// A key set as any issuer's; its key has signed nothing.
fn other_keys() -> String {
    // 2,048 bits of which the first and the last are set.
    let modulus = format!("{}Q", "u".repeat(341));
    format!(
        r#"{{"keys":[{{"kty":"RSA","kid":"another","alg":"RS256","use":"sig","n":"{modulus}","e":"AQAB"}}]}}"#
    )
}
