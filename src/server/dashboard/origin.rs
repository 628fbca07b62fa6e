//! Whether a page of another origin has sent a request.

use axum::http::{HeaderName, header, request::Parts};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// From where a web page of another origin has sent this, in words. None: no such page has.
pub(crate) fn elsewhere(head: &Parts) -> Option<String> {
    if let Some(origin) = text(head, &header::ORIGIN)
        && origin.split_once("://").map(|(_, authority)| authority) != host(head).as_deref()
    {
        return Some(format!("of {origin:?}"));
    }
    // A page that only sends, and reads no answer, need not name its origin; browsers tell all the same.
    let site = text(head, &SITE).filter(|site| !matches!(&**site, "same-origin" | "none"))?;
    Some(format!("of elsewhere (Sec-Fetch-Site: {site:?})"))
}

/// The server that is asked, as the client names it.
pub(crate) fn host(head: &Parts) -> Option<String> {
    head.uri.authority().map(ToString::to_string).or_else(|| text(head, &header::HOST))
}

/// A link of another site's page was followed: the browser leaves strict cookies out.
pub(super) fn is_link_from_elsewhere(head: &Parts) -> bool {
    let says = |name: &'static str, value: &str| head.headers.get(name).is_some_and(|said| said == value);
    let site = text(head, &SITE);
    says("sec-fetch-mode", "navigate")
        && site.is_some_and(|site| matches!(&*site, "cross-site" | "same-site"))
}

fn text(head: &Parts, name: &HeaderName) -> Option<String> {
    head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
