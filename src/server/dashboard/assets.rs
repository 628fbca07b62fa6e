//! Styles, scripts and the icon, which are part of the program. Their addresses change with their content, so
//! that browsers keep them for as long as they like.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ring::digest::{SHA256, digest};

pub(super) const PATH: &str = "/assets/{name}";

/// One file, under the name that it has now.
pub(super) struct Asset {
    pub(super) path: String,
    media: &'static str,
    text: &'static str,
}

pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("dashboard", "css", "text/css; charset=utf-8", include_str!("assets/dashboard.css")),
    script: Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
});

impl Asset {
    fn new(name: &str, ending: &str, media: &'static str, text: &'static str) -> Self {
        let hash = digest(&SHA256, text.as_bytes());
        let digits: String = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { path: format!("/assets/{name}.{digits}.{ending}"), media, text }
    }
}

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let Assets { style, script, icon } = &*ASSETS;
    let path = format!("/assets/{name}");
    let Some(asset) = [style, script, icon].into_iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.text).into_response()
}
