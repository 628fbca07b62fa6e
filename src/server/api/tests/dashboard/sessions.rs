//! Signing in and out, and pages of elsewhere.

use clawpool_core::config::{Config, Scope};
use reqwest::Method;
use serde_json::json;

use super::{Browser, markup::assert_ours};
use crate::{
    api::tests::{
        answer, assert_refused,
        pool::Pool,
        route_table::{guarded, secret},
    },
    dashboard,
};

#[tokio::test]
async fn nothing_is_shown_before_somebody_signs_in_and_then_what_was_asked_for() {
    let pool = Pool::start(guarded()).await;
    let mut browser = Browser::new(&pool);
    for path in dashboard::pages().filter(|path| !path.contains('{') && *path != "/") {
        let to = format!("/sign-in?to=%2F{}", path.trim_start_matches('/'));
        browser.get(path).await.leads_to(&to);
    }
    for path in dashboard::actions() {
        let done = browser.post(&path.replace(['{', '}'], ""), &[("confirm", "yes")]).await;
        assert_eq!(done.status, 303, "{path}: {}", done.text);
        assert!(done.header("location").starts_with("/sign-in"), "{path}");
    }
    let page = browser.get("/sign-in?to=%2Ftasks%3Fstate%3Ddead").await;
    page.says(200, "value=\"/tasks?state=dead\"");
    assert_ours("sign-in", &page.text);
    let token = secret(Scope::Read);
    let sent = browser.post("/sign-in", &[("token", &token), ("to", "/tasks?state=dead")]).await;
    sent.leads_to("/tasks?state=dead");
    browser.get("/tasks?state=dead").await.says(200, "configured-read");
    let elsewhere = browser.post("/sign-in", &[("token", &token), ("to", "//evil.example")]).await;
    elsewhere.leads_to("/");
    pool.stop().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_or_may_not_look_opens_nothing() {
    let pool = Pool::start(guarded()).await;
    let mut browser = Browser::new(&pool);
    for (token, why) in [
        ("a-guess", "not known here"),
        ("", "not known here"),
        ("two\nlines", "no such characters"),
        (&secret(Scope::Enqueue), "lacks the scope read"),
    ] {
        let said = browser.post("/sign-in", &[("token", token)]).await;
        said.says(403, why);
        assert_ours("sign-in", &said.text);
        assert!(browser.cookies.is_empty(), "{token:?}: {:?}", browser.cookies);
    }
    pool.stop().await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_session_at_once_and_who_signs_out_has_none() {
    let pool = Pool::start(guarded()).await;
    let new = json!({"name": "ada", "scopes": ["read"]});
    let request = pool.request(Method::POST, "/v1/tokens").bearer_auth(secret(Scope::Admin)).json(&new);
    let (_, made) = answer(request.send().await.unwrap()).await;
    let mut browser = Browser::signed_in(&pool, made["secret"].as_str().unwrap()).await;
    browser.get("/").await.says(200, "<strong>ada</strong>");
    let revoke = pool.request(Method::DELETE, "/v1/tokens/ada").bearer_auth(secret(Scope::Admin));
    assert_eq!(revoke.send().await.unwrap().status(), 200);
    browser.get("/workers").await.leads_to("/sign-in?to=%2Fworkers");
    browser.get("/sign-in").await.says(200, "revoked, or has expired");
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);

    let mut browser = Browser::signed_in(&pool, &secret(Scope::Read)).await;
    browser.post("/sign-out", &[]).await.leads_to("/sign-in");
    browser.get("/").await.leads_to("/sign-in");
    pool.stop().await;
}

/// Its browser would send the cookie along.
#[tokio::test]
async fn forms_of_other_pages_change_nothing() {
    for config in [guarded(), Config::default()] {
        let needs_token = !config.api.tokens.is_empty();
        let pool = Pool::start(config).await;
        let mut browser = Browser::new(&pool);
        if needs_token {
            browser = Browser::signed_in(&pool, &secret(Scope::Read)).await;
        }
        let paths = dashboard::actions().chain(["/sign-in", "/sign-out", "/theme"]);
        for path in paths {
            for header in
                [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
            {
                let form = [("confirm", "yes"), ("token", "x"), ("do", "cancel")];
                let done = browser.post_with(&path.replace(['{', '}'], ""), &form, &[header]).await;
                done.says(403, "CP-1405");
            }
        }
        pool.stop().await;
    }
}

#[tokio::test]
async fn a_link_of_another_site_leads_to_the_page_by_a_step_of_our_own() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let page = browser.get_with("/tasks?kind=a%22b", &link).await;
    page.says(200, "http-equiv=\"refresh\"");
    assert!(page.text.contains("/tasks?kind=a%22b") && !page.text.contains("data-live"), "{}", page.text);
    assert_ours("bounce", &page.text);
    pool.stop().await;
}

/// A page of ours reads the API with its cookie, and no page of another origin does.
#[tokio::test]
async fn the_api_takes_the_cookie_from_our_own_pages_alone() {
    let mut config = guarded();
    config.api.tokens[4].scopes = vec![Scope::Read, Scope::Admin];
    let pool = Pool::start(config).await;
    let browser = Browser::signed_in(&pool, &secret(Scope::Admin)).await;
    let cookie: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = cookie.join("; ");
    let own = format!("http://{}", pool.address);
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let request = pool.request(method, path).header("cookie", &cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send().await.unwrap()).await
    };
    for path in ["/v1/tokens", "/v1/access"] {
        assert_eq!(ask(Method::GET, path, &[("sec-fetch-site", "same-origin")]).await.0, 200, "{path}");
        for header in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site")] {
            assert_refused(&ask(Method::GET, path, &[header]).await, 403, "CP-1405", None);
        }
    }
    let pause = "/v1/queues/high.p2/pause";
    assert_refused(&ask(Method::POST, pause, &[]).await, 403, "CP-1405", None);
    assert_refused(&ask(Method::POST, pause, &[("origin", "null")]).await, 403, "CP-1405", None);
    assert_eq!(ask(Method::POST, pause, &[("origin", &own)]).await.0, 200);
    let (status, access) = ask(Method::GET, "/v1/access", &[]).await;
    assert_eq!((status.as_u16(), &access["name"]), (200, &json!("configured-admin")), "{access}");
    let (status, _) = ask(Method::GET, "/v1/events?topics=queues", &[]).await;
    assert_eq!(status, 200);
    pool.stop().await;
}

#[tokio::test]
async fn the_colours_stay_as_they_were_chosen() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    browser.get("/queues").await.says(200, "data-theme=\"system\"");
    browser.post("/theme", &[("theme", "dark"), ("to", "/queues")]).await.leads_to("/queues");
    browser.get("/queues").await.says(200, "data-theme=\"dark\"");
    browser.post("/theme", &[("theme", "\"><script>"), ("to", "/")]).await.leads_to("/");
    browser.get("/").await.says(200, "data-theme=\"system\"");
    pool.stop().await;
}
