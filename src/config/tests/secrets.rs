use super::*;

/// INV-10: whatever is wrong around a secret, the report does not show it, nor do dump and debug print.
#[test]
fn inv_10_secrets_never_print() {
    let files = [
        "redis.url = 'redis://u:hunter2@:x'",
        "redis.url = 'hunter2'",
        "redis = 'redis://:hunter2@h'",
        "redis.pasword = 'hunter2'",
        "rabbitmq.url = ['hunter2']",
        "rabbitmq.url = 'hunter2://x'",
        "api.tokens = ['hunter2']",
        "[[api.tokens]]\nname = 'a'\nsecret = 'hunter2'\nscopes = []",
        "[[api.tokens]]\nname = 'a'\nsecret = 'hunter2'\nscopes = ['hunt']",
        "[[handlers]]\nkind = 'a'\nhttp = { url = 'http://a', headers = { 'a b' = 'hunter2' } }",
        "[[handlers]]\nkind = 'a'\nhttp = 'hunter2'",
        "redis.url = 'redis://:hunter2@h",
    ];
    for text in files {
        let report = report(text);
        assert!(!report.contains("hunter2"), "{text}\n{report}");
    }
    let text = "redis.url = 'redis://u:p@ss/hunter2@h:1/0?pass=hunter2'\n[[handlers]]\nkind = 'a'\n\
        exec = { command = ['x'], env = { KEY = 'hunter2' } }\n[[handlers]]\nkind = 'b'\n\
        http = { url = 'http://u:hunter2@h/', headers = { authorization = 'env:AUTH' } }\n\
        [[api.tokens]]\nname = 'a'\nsecret = 'hunter2-hunter2-hunter2'\nscopes = ['read']";
    let environment = [("AUTH", "hunter2")];
    let mut config = load(&text.replace("p@ss/hunter2", "hunter2"), &environment, &[]).unwrap();
    config.redis.url = "redis://u:p@ss/hunter2@h:1/0?pass=hunter2".into();
    assert_eq!(config.handlers[1].http.as_ref().unwrap().headers["authorization"], "hunter2");
    let shown = format!("{config:?}{}{}", config.to_toml(), serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "redis://:s3cret@h:1/0\n").unwrap();
    let config = load(&format!("redis.url = 'file:{}'", path.display()), &[], &[]).unwrap();
    assert_eq!(config.redis.url.expose_secret(), "redis://:s3cret@h:1/0");
}
