use std::time::Duration;

use bollard::models::ContainerInspectResponse;

use super::{template::ContainerTemplate, *};

/// What engines answer about a container of compose, shortened.
fn sibling() -> ContainerInspectResponse {
    serde_json::from_value(serde_json::json!({
        "Id": "0123456789abcdef0123", "Name": "/shop-llm-2", "Image": "sha256:feed",
        "Config": {
            "Hostname": "0123456789ab", "Image": "clawpool", "Env": ["A=b"], "Cmd": ["clawpool", "worker"],
            "StopTimeout": 90, "User": "10001",
            "Labels": { "com.docker.compose.service": "llm", "com.docker.compose.container-number": "2",
                        "com.docker.compose.replace": "shop-llm-1" },
        },
        "HostConfig": {
            "Memory": 4_294_967_296_i64, "ReadonlyRootfs": true, "CapDrop": ["ALL"],
            "NetworkMode": "shop_servers",
        },
        "NetworkSettings": { "Networks": {
            "shop_servers": {
                "Aliases": ["shop-llm-2", "llm", "0123456789ab"],
                "IPAddress": "172.18.0.5",
                "MacAddress": "02:42",
            },
        } },
    }))
    .unwrap()
}

#[test]
fn a_copy_has_everything_but_what_is_its_siblings_own() {
    let template = ContainerTemplate::from(&sibling()).unwrap();
    assert_eq!(template.name(7), "shop-llm-7");
    let body = &template.body;
    let limits = body.host_config.as_ref().unwrap();
    assert_eq!(body.hostname, None, "each container names its own host");
    assert_eq!(body.env.as_deref(), Some(&["A=b".to_owned()][..]));
    assert_eq!((body.stop_timeout, body.user.as_deref()), (Some(90), Some("10001")));
    assert_eq!((limits.memory, limits.readonly_rootfs), (Some(4_294_967_296), Some(true)));
    assert!(!body.labels.as_ref().unwrap().contains_key("com.docker.compose.replace"));
    let (network, endpoint) = &template.networks[0];
    assert_eq!(network, "shop_servers");
    assert_eq!(endpoint.aliases.as_deref(), Some(&["llm".to_owned()][..]));
    assert_eq!((&endpoint.ip_address, &endpoint.mac_address), (&None, &None));
}

#[test]
fn a_host_name_of_the_compose_file_stays() {
    let mut sibling = sibling();
    sibling.config.as_mut().unwrap().hostname = Some("voice".to_owned());
    assert_eq!(ContainerTemplate::from(&sibling).unwrap().body.hostname.as_deref(), Some("voice"));
}

#[test]
fn copies_of_a_draining_container_and_of_old_compose_are_named_like_the_others() {
    for (name, expected) in [("/shop-llm-draining-0123456789ab", "shop-llm-9"), ("/shop_llm_2", "shop_llm_9")]
    {
        let mut sibling = sibling();
        sibling.name = Some(name.to_owned());
        assert_eq!(ContainerTemplate::from(&sibling).unwrap().name(9), expected);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_unreachable_socket_is_named_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let host = format!("unix://{}/docker.sock", folder.path().display());
    let docker =
        Docker::at("llm", "llm", Some(host.clone()), Some("shop".to_owned()), Duration::from_secs(1));
    let error = docker.replicas().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    for part in [host.as_str(), "start the engine", "DOCKER_HOST"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

/// CLAWPOOL_TEST_PROJECT: a running project of docker-compose.yml, on the engine of DOCKER_HOST.
#[tokio::test]
#[ignore = "needs an engine and a compose project"]
async fn containers_come_leave_and_are_replaced() {
    let host = std::env::var("DOCKER_HOST").ok();
    let project = std::env::var("CLAWPOOL_TEST_PROJECT").ok();
    let docker = Docker::at("general", "general", host, project, Duration::from_secs(30));
    let before = docker.replicas().await.unwrap();
    docker.start(2).await.unwrap();
    let grown = docker.replicas().await.unwrap();
    assert_eq!(grown.len(), before.len() + 2);
    assert!(grown.iter().all(|replica| !replica.draining && replica.host.as_ref().unwrap().len() == 12));

    let new: Vec<ReplicaId> =
        grown.iter().filter(|replica| !before.contains(replica)).map(|replica| replica.id.clone()).collect();
    docker.replace(&new[..1]).await.unwrap();
    let replaced = docker.replicas().await.unwrap();
    assert_eq!(replaced.len(), grown.len());
    assert!(replaced.iter().all(|replica| replica.id != new[0]));

    let draining: Vec<ReplicaId> = replaced
        .iter()
        .filter(|replica| !before.contains(replica))
        .map(|replica| replica.id.clone())
        .collect();
    docker.drain(&draining).await.unwrap();
    docker.drain(&draining).await.unwrap();
    loop {
        let replicas = docker.replicas().await.unwrap();
        assert!(
            replicas.iter().all(|replica| replica.draining == draining.contains(&replica.id)),
            "{replicas:?}"
        );
        if replicas.len() == before.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let left = docker.service.containers(&docker.engine).await.unwrap();
    assert!(left.iter().all(|container| container.alive), "a drained container is removed");
}
