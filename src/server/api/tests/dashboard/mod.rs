//! The dashboard over real HTTP, as a browser asks for it.

mod actions;
mod hostile;
mod markup;
mod pages;
mod sessions;

use reqwest::{Method, StatusCode, header::HeaderMap, redirect::Policy};

use super::{Server, pool::Pool};

/// Keeps its cookies, names its origin with every form, and does not follow where it is led.
pub(super) struct Browser {
    http: reqwest::Client,
    address: String,
    pub(super) cookies: Vec<(String, String)>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Where it leads.
    #[track_caller]
    pub(super) fn leads_to(&self, path: &str) {
        assert_eq!((self.status.as_u16(), self.header("location")), (303, path), "{}", self.text);
    }

    #[track_caller]
    pub(super) fn says(&self, status: u16, words: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(self.text.contains(words), "no {words:?} in {}", self.text);
    }
}

impl Browser {
    pub(super) fn new(server: &Server) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, address: server.address.clone(), cookies: Vec::new() }
    }

    /// One that has signed in with this token.
    pub(super) async fn signed_in(server: &Server, token: &str) -> Self {
        let mut browser = Self::new(server);
        browser.post("/sign-in", &[("token", token)]).await.leads_to("/");
        browser
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], None).await
    }

    pub(super) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers, None).await
    }

    pub(super) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let origin = format!("http://{}", self.address);
        self.post_with(path, form, &[("origin", &origin), ("sec-fetch-site", "same-origin")]).await
    }

    pub(super) async fn post_with(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask(Method::POST, path, headers, Some(form)).await
    }

    /// Sends a form, and reads the page that it leads to.
    pub(super) async fn act(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let answer = self.post(path, form).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        let to = answer.header("location").to_owned();
        self.get(&to).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<String>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        request = request.header("accept", "text/html,*/*");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, rules) = cookie.split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        assert!(rules.contains("HttpOnly") && rules.contains("SameSite"), "{cookie}");
        self.cookies.retain(|(known, _)| known != name);
        if !rules.contains("Max-Age=0") {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// A pool with something of everything; the ids of a task that waits and of one that died.
pub(super) async fn furnished(pool: &Pool) -> (String, String) {
    use serde_json::json;

    pool.beat(1).await;
    let done = pool.enqueue(&json!({"kind": "mail.send", "payload": {"to": "a@b.c"}})).await;
    pool.complete(done, "sent").await;
    let later = json!({"kind": "mail.send", "payload": 1, "delay": "1h"});
    pool.enqueue(&later).await;
    let dead =
        pool.kill(&json!({"kind": "voice.call", "payload": {"to": [1, 2]}}), "no route to 10.0.0.1").await;
    let waits = pool.enqueue(&json!({"kind": "mail.send", "payload": {"deep": {"er": true}}})).await;
    (waits.to_string(), dead.to_string())
}
