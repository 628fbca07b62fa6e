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
        "[[probes]]\nname = 'a'\nlayer = 'http'\ntarget = 'u:hunter2@h'",
        "[[probes]]\nname = 'a'\nlayer = 'http'\ntarget = 'ftp://u:hunter2@h'",
        "[[probes]]\nname = 'a'\nlayer = 'http'\ntarget = 'http://h'\n\
        headers = { 'a b' = 'hunter2' }",
        "redis.url = 'redis://:hunter2@h",
    ];
    for text in files {
        let report = report(text);
        assert!(!report.contains("hunter2"), "{text}\n{report}");
    }
    let text = "redis.url = 'redis://u:p@ss/hunter2@h:1/0?pass=hunter2'\n[[handlers]]\nkind = 'a'\n\
        exec = { command = ['x'], env = { KEY = 'hunter2' } }\n[[handlers]]\nkind = 'b'\n\
        http = { url = 'http://u:hunter2@h/', headers = { authorization = 'env:AUTH' } }\n\
        [[probes]]\nname = 'p'\nlayer = 'http'\ntarget = 'http://u:hunter2@h/'\n\
        headers = { key = 'hunter2' }\n[[probes]]\nname = 'q'\nlayer = 'exec'\ncommand = ['x']\n\
        env = { KEY = 'env:AUTH' }\n[[api.tokens]]\nname = 'a'\n\
        secret = 'hunter2-is-long-enough'\nscopes = ['read']";
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

#[test]
fn well_known_passwords_hold_on_this_machine_alone() {
    for text in
        ["rabbitmq.url = 'amqp://guest:guest@rabbitmq:5672'", "redis.url = 'redis://:ChangeMe@10.0.0.7'"]
    {
        let report = report(text);
        assert!(report.contains("CP-1010") && report.contains("clawpool init"), "{report}");
    }
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let loaded = load(&format!("rabbitmq.url = 'amqp://guest:guest@{host}:5672'"), &[], &[]);
        assert!(loaded.is_ok(), "{host}");
    }
}

#[test]
fn the_compose_file_loads_with_the_secrets_of_init() {
    let text = std::fs::read_to_string(shipped("compose.toml")).unwrap();
    let random = |name| (name, "3d1c7f0f6a6c4f3e9b1b5f0d7d6d2a11");
    let [producer, agent, admin] =
        ["CLAWPOOL_PRODUCER_TOKEN", "CLAWPOOL_AGENT_TOKEN", "CLAWPOOL_ADMIN_TOKEN"];
    let servers =
        [("CLAWPOOL_REDIS_URL", "redis://:x9Vb@redis"), ("CLAWPOOL_RABBITMQ_URL", "amqp://u:x9Vb@rabbitmq")];
    let metrics = ("CLAWPOOL_METRICS_TOKEN", "a-fourth-random-token");
    let tokens =
        [random(producer), (agent, "another-random-token"), (admin, "one-more-random-token"), metrics];
    let config = load(&text, &[&servers[..], &tokens[..]].concat(), &[]).unwrap();
    let compose = std::fs::read_to_string(shipped("../docker-compose.yml")).unwrap();
    for pool in &config.pools {
        assert!(compose.contains(&format!("CLAWPOOL_POOL: {},", pool.name)), "{}", pool.name);
    }
}

#[test]
fn the_files_that_hold_secrets_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let (file, token) = (folder.path().join("pool.toml"), folder.path().join("token"));
    std::fs::write(&token, "0123456789abcdef0123\n").unwrap();
    let text = format!(
        "redis.url = \"redis://:x9Vb2kQe@10.0.0.5:6379/0\"\n[[api.tokens]]\nname = \"shop\"\n\
        secret = {:?}\nscopes = [\"read\"]\n",
        format!("file:{}", token.display())
    );
    std::fs::write(&file, text).unwrap();
    let loaded = Config::load_with_files(Some(&file), &["rabbitmq.url=amqp://a:b7cQx1@127.0.0.1".to_owned()]);
    assert!(loaded.config.is_ok(), "{:?}", loaded.config);
    let found: Vec<_> = loaded.secrets.iter().map(|secret| (secret.key.as_str(), &secret.file)).collect();
    assert_eq!(found, [("redis.url", &file), ("api.tokens[0].secret", &token)]);
}
