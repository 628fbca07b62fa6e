use tokio::time::advance;

use super::*;
use clawpool_backends::store::testing::TestStore;
use clawpool_core::config::{Config, Scope, Token};

const SECRET: &[u8] = b"the secret of the shop";

fn registry(store: &Arc<TestStore>) -> TokenRegistry {
    let token = Token {
        name: "operator".into(),
        secret: "the secret of the operator".into(),
        scopes: vec![Scope::Admin],
        tenants: vec![],
        queues: vec![],
    };
    let mut config = Config::default();
    config.api.tokens = vec![token];
    TokenRegistry::new(&config.into(), Arc::clone(store) as _)
}

fn token(secret: &[u8]) -> StoredToken {
    StoredToken {
        hash: stored::hash(secret),
        scopes: vec![Scope::Read],
        tenants: vec![],
        queues: vec![],
        created_at: Timestamp::now(),
        created_by: Some("operator".into()),
        expires_at: None,
    }
}

/// What a registry says of the secret, in a word.
async fn said(registry: &TokenRegistry, secret: &[u8]) -> &'static str {
    match registry.find(secret).await {
        Ok(_) => "good",
        Err(Unusable::Unknown) => "unknown",
        Err(Unusable::Expired(_)) => "expired",
        Err(Unusable::Unread(_)) => "unread",
    }
}

async fn added(registry: &TokenRegistry, name: &str, token: &StoredToken) -> &'static str {
    match registry.add(name, token).await {
        Ok(_) => "made",
        Err(Unmade::Taken) => "taken",
        Err(Unmade::Full) => "full",
        Err(Unmade::Store(_)) => "store",
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_known_at_once_where_it_was_made_and_elsewhere_within_a_second() {
    let store = Arc::new(TestStore::default());
    let [here, elsewhere] = [registry(&store), registry(&store)];
    assert_eq!(said(&elsewhere, SECRET).await, "unknown");
    assert_eq!(added(&here, "shop", &token(SECRET)).await, "made");
    assert_eq!(said(&here, SECRET).await, "good");
    advance(MISSED).await;
    assert_eq!(said(&elsewhere, SECRET).await, "good");
    assert!(here.revoke("shop").await.unwrap());
    assert_eq!(said(&here, SECRET).await, "unknown");
    assert_eq!(said(&elsewhere, SECRET).await, "good", "as of a moment ago");
    advance(FRESH).await;
    assert_eq!(said(&elsewhere, SECRET).await, "unknown");
    assert!(!here.revoke("shop").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_makes_no_known_token_unknown() {
    let store = Arc::new(TestStore::default());
    let registry = registry(&store);
    let ends =
        StoredToken { expires_at: Some(Timestamp::now() + Duration::from_millis(300)), ..token(b"ends") };
    assert_eq!(added(&registry, "shop", &token(SECRET)).await, "made");
    assert_eq!(added(&registry, "ends", &ends).await, "made");
    store.state().away = true;
    advance(Duration::from_secs(3600)).await;
    for (secret, expected) in
        [(SECRET, "good"), (b"the secret of the operator", "good"), (b"made elsewhere since", "unread")]
    {
        assert_eq!(said(&registry, secret).await, expected);
    }
    // By the machine's clock, which the test does not turn.
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(said(&registry, b"ends").await, "expired", "known or not, its time is over");
    assert_eq!(added(&registry, "other", &token(b"other")).await, "store");
    assert!(registry.revoke("shop").await.is_err());
    store.state().away = false;
    advance(FRESH).await;
    assert_eq!(said(&registry, b"made elsewhere since").await, "unknown");
}

#[tokio::test(start_paused = true)]
async fn one_name_is_one_token() {
    let store = Arc::new(TestStore::default());
    let registry = registry(&store);
    let ended = StoredToken { expires_at: Some(Timestamp::from_millis(1)), ..token(b"ended") };
    assert_eq!(added(&registry, "shop", &ended).await, "made");
    assert_eq!(said(&registry, b"ended").await, "expired");
    assert_eq!(added(&registry, "shop", &token(SECRET)).await, "made", "in place of the expired one");
    assert_eq!(said(&registry, b"ended").await, "unknown");
    assert_eq!(added(&registry, "shop", &token(b"again")).await, "taken");
    assert_eq!(added(&registry, "operator", &token(b"again")).await, "taken");
    // As of a time when the configuration had none of this name.
    let note = serde_json::to_vec(&token(b"shadow")).unwrap();
    store.put_note(None, &stored::note("operator"), note.into(), None).await.unwrap();
    assert_eq!(said(&registry, b"shadow").await, "unknown");
    let names: Vec<String> = registry.all().await.unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["operator", "shop"]);
    assert!(registry.revoke("operator").await.unwrap(), "the note alone");
    assert_eq!(said(&registry, b"the secret of the operator").await, "good");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_this_version_cannot_read_opens_nothing_and_hides_no_other() {
    let store = Arc::new(TestStore::default());
    let registry = registry(&store);
    let mut note = serde_json::to_value(token(b"newer")).unwrap();
    note["kinds"] = serde_json::json!(["email.*"]);
    store.put_note(None, &stored::note("newer"), note.to_string().into(), None).await.unwrap();
    assert_eq!(added(&registry, "shop", &token(SECRET)).await, "made");
    assert_eq!(said(&registry, b"newer").await, "unknown");
    assert_eq!(said(&registry, SECRET).await, "good");
}

#[tokio::test(start_paused = true)]
async fn there_are_only_so_many() {
    let store = Arc::new(TestStore::default());
    let registry = registry(&store);
    for number in 0..MOST {
        let note = serde_json::to_vec(&token(&number.to_be_bytes())).unwrap();
        store.put_note(None, &stored::note(&number.to_string()), note.into(), None).await.unwrap();
    }
    assert_eq!(added(&registry, "more", &token(SECRET)).await, "full");
}
