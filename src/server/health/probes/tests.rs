use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// An address at which every request is answered like this.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("127.0.0.1:{}", address.port())
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("127.0.0.1:{}", listener.local_addr().unwrap().port())
}

fn probe(layer: Layer) -> Probe {
    let text = serde_json::json!({"name": "it", "layer": layer, "failures": 1, "slow": "0s"});
    serde_json::from_value(text).unwrap()
}

async fn shown(probe: Probe) -> Standing {
    let probes = Probes::new(Arc::new(Config { probes: vec![probe], ..Config::default() }));
    probes.look(0).await;
    probes.all().remove(0).standing
}

#[tokio::test]
async fn a_port_is_looked_at() {
    let there = answering("").await;
    assert_eq!(shown(Probe { target: Some(there), ..probe(Layer::Tcp) }).await, Standing::Up);
    let gone = shown(Probe { target: Some(nobody().await), ..probe(Layer::Tcp) }).await;
    assert!(gone.reason().unwrap().starts_with("no connection:"), "{gone}");
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let dns = |name: &str| Probe { target: Some(name.to_owned()), ..probe(Layer::Dns) };
    assert_eq!(shown(dns("localhost")).await, Standing::Up);
    assert!(shown(dns("no-such-host.invalid")).await.is_down());
}

#[tokio::test]
async fn a_web_server_is_well_by_its_status_and_an_application_by_what_it_says() {
    let failing = answering("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    let url = |address: &str| Some(format!("http://user:hunter2@{address}/health?token=hunter2"));
    let http = Probe { target: url(&failing), ..probe(Layer::Http) };
    assert_eq!(shown(http.clone()).await, Standing::Down("it answers with status 500".into()));
    assert_eq!(shown(Probe { status: vec![500], ..http }).await, Standing::Up);
    let moved = answering("HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(shown(Probe { target: url(&moved), ..probe(Layer::Http) }).await, Standing::Up);
    let sick = answering("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"no\"}").await;
    let field = serde_json::from_str(r#"{"path": "status", "equals": "ok"}"#).unwrap();
    let application = Probe { target: url(&sick), field: Some(field), ..probe(Layer::Application) };
    let standing = shown(application).await;
    assert_eq!(standing, Standing::Down("its field status is not \"ok\"".into()));
}

#[tokio::test]
async fn inv_10_no_password_is_told() {
    let target = Some(format!("http://user:hunter2@{}/?key=hunter2", nobody().await));
    let standing = shown(Probe { target, ..probe(Layer::Http) }).await;
    assert!(standing.is_down() && !standing.to_string().contains("hunter2"), "{standing}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_is_well_by_its_exit_code_and_knows_nothing_of_this_process() {
    let exec = |script: &str| {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Probe { command, env: [("WORD".to_owned(), "yes".to_owned())].into(), ..probe(Layer::Exec) }
    };
    assert_eq!(shown(exec("test \"$WORD\" = yes && test -z \"$CARGO_MANIFEST_DIR\"")).await, Standing::Up);
    let failed = shown(exec("echo hunter2; exit 3")).await;
    assert!(failed.reason().unwrap().contains('3') && !failed.to_string().contains("hunter2"), "{failed}");
    let missing = Probe { command: vec!["./no-such-program".into()], ..probe(Layer::Exec) };
    assert!(shown(missing).await.reason().unwrap().contains("cannot start"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_hangs_ends_at_the_timeout() {
    let command = ["sh", "-c", "sleep 600"].map(str::to_owned).to_vec();
    let timeout = Some(Duration::from_millis(100));
    let standing = shown(Probe { command, timeout, ..probe(Layer::Deep) }).await;
    assert_eq!(standing, Standing::Down("no answer within 100ms".into()));
}

#[tokio::test]
async fn a_chain_ends_at_the_step_that_fails() {
    let first = Probe { name: "first".into(), target: Some(answering("").await), ..probe(Layer::Tcp) };
    let second = Probe { name: "second".into(), target: Some(nobody().await), ..probe(Layer::Tcp) };
    let steps = ["first", "second"].map(str::to_owned).to_vec();
    let deep = Probe { steps, ..probe(Layer::Deep) };
    let probes = vec![deep, first, second];
    let probes = Probes::new(Arc::new(Config { probes, ..Config::default() }));
    probes.look(0).await;
    let all = probes.all();
    assert!(all[0].standing.reason().unwrap().starts_with("second: no connection"), "{:?}", all[0]);
    assert_eq!(all[1].standing, Standing::Unknown, "its own looks are its own");
}

#[tokio::test]
async fn each_is_looked_at_at_its_own_pace_until_the_end() {
    let target = Some(answering("").await);
    let interval = Some(Duration::from_millis(5));
    let quick = Probe { target: target.clone(), interval, ..probe(Layer::Tcp) };
    let silent = Probe { interval: Some(Duration::from_secs(3600)), ..quick.clone() };
    let probes = Probes::new(Arc::new(Config { probes: vec![quick, silent], ..Config::default() }));
    let stop = CancellationToken::new();
    let until = async {
        let looked = |probed: &Service| probed.looked;
        let first = |probes: &Probes| probes.all().iter().map(looked).collect::<Option<Vec<_>>>();
        let times = loop {
            if let Some(times) = first(&probes) {
                break times;
            }
            tokio::task::yield_now().await;
        };
        while first(&probes).unwrap()[0] == times[0] {
            tokio::task::yield_now().await;
        }
        assert_eq!(first(&probes).unwrap()[1], times[1], "an hour is not over");
        stop.cancel();
    };
    tokio::join!(probes.watch(&stop), until);
}
