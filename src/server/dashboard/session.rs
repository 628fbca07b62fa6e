//! Cookies: the token of who has signed in, the colours, and what the last action did. A dispatcher keeps
//! nothing of a session, so that any of them serves it and a revoked token ends it.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Whose value is the token.
const TOKEN: &str = "clawpool_token";
pub(super) const THEME: &str = "clawpool_theme";
pub(super) const TOLD: &str = "clawpool_told";

/// A browser refuses longer cookies.
const LONGEST: usize = 3_000;

/// The token of who has signed in with this browser.
pub(crate) fn secret(headers: &HeaderMap) -> Option<Vec<u8>> {
    read(headers, TOKEN).filter(|secret| !secret.is_empty())
}

/// What a browser is told to keep.
#[derive(Clone, Copy)]
pub(super) struct Cookies {
    /// Only over TLS.
    pub(super) secure: bool,
}

impl Cookies {
    /// The token, until the browser is closed.
    pub(super) fn keep(self, secret: &str) -> Option<HeaderValue> {
        self.write(TOKEN, secret.as_bytes(), "SameSite=Strict")
    }

    /// No token any more.
    pub(super) fn forget(self) -> Option<HeaderValue> {
        self.write(TOKEN, b"", "SameSite=Strict; Max-Age=0")
    }

    /// For the next page.
    pub(super) fn tell(self, json: &str) -> Option<HeaderValue> {
        self.write(TOLD, json.as_bytes(), "SameSite=Strict; Max-Age=60")
    }

    /// The page has told it.
    pub(super) fn told(self) -> Option<HeaderValue> {
        self.write(TOLD, b"", "SameSite=Strict; Max-Age=0")
    }

    pub(super) fn theme(self, name: &str) -> Option<HeaderValue> {
        self.write(THEME, name.as_bytes(), "SameSite=Lax; Max-Age=31536000")
    }

    /// None: it is longer than a cookie may be.
    fn write(self, name: &str, value: &[u8], rules: &str) -> Option<HeaderValue> {
        let value = BASE64_URL_SAFE_NO_PAD.encode(value);
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; {rules}{secure}");
        if cookie.len() > LONGEST { None } else { HeaderValue::from_str(&cookie).ok() }
    }
}

/// What a cookie of ours holds. Of several with one name the first that can be read.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(known, value)| BASE64_URL_SAFE_NO_PAD.decode(value).ok().filter(|_| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Cookies = Cookies { secure: false };

    fn sent(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn a_token_is_read_as_it_was_kept_whatever_its_letters() {
        for kept in ["plain-secret-of-16", "; HttpOnly=\"ü\"\n", "a b,c;d=e"] {
            let cookie = PLAIN.keep(kept).unwrap();
            let cookie = cookie.to_str().unwrap().to_owned();
            assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
            let pair = cookie.split(';').next().unwrap();
            assert_eq!(secret(&sent(&format!("other=1; {pair}; {TOKEN}=%%%"))).unwrap(), kept.as_bytes());
        }
        assert_eq!(secret(&sent(&format!("{TOKEN}="))), None);
        assert_eq!(secret(&sent("a=b")), None);
        assert!(PLAIN.keep(&"x".repeat(5_000)).is_none());
        let over_tls = Cookies { secure: true }.keep("a").unwrap();
        assert!(over_tls.to_str().unwrap().ends_with("; Secure"));
    }
}
