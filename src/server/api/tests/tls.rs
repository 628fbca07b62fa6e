//! TLS: certificates from files, which change while they are served.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, tls::TlsInfo};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::down::Down;
use crate::api::{Api, Certificate, Entrance};
use clawpool_backends::{install_tls, path, store::conformance::sample::Log};
use clawpool_core::config::{Config, Tls};
use clawpool_engine::dispatch::Producer;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/api/tests/tls");
const PATIENCE: Duration = Duration::from_secs(60);

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join(name)).unwrap()
}

/// A server with the certificate `one`, whose files may be changed.
struct Server {
    folder: TempDir,
    url: String,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        install_tls();
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        put(folder.path(), "one", "one");
        let (broker, store) = (Arc::new(Down), Arc::new(Down));
        let config = Config::default();
        let way = path::over(Arc::clone(&broker) as _, Arc::clone(&store) as _);
        let producer = Producer::new(&config, way, Arc::clone(&store) as _);
        let certificate = Certificate::open(&files).unwrap();
        let api = Api::new(producer, broker, store, config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/health", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let entrance = Entrance::open(listener, Some(certificate), 100).unwrap();
        let serving = tokio::spawn(entrance.serve(api, stop.clone()));
        Self { folder, url, stop, serving }
    }

    /// The certificate that this client is shown.
    async fn shown(&self, client: &Client) -> Vec<u8> {
        let response = client.get(&self.url).send().await.unwrap();
        assert_eq!(response.status(), 503, "broker and store are away");
        response.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

fn files(folder: &Path) -> Tls {
    Tls { certificate: folder.join("tls.crt"), key: folder.join("tls.key") }
}

fn put(folder: &Path, certificate: &str, key: &str) {
    let files = files(folder);
    fs::write(files.certificate, fixture(&format!("{certificate}.pem"))).unwrap();
    fs::write(files.key, fixture(&format!("{key}.key"))).unwrap();
}

/// A client that keeps its connection, and trusts the tests' authority.
fn client() -> Client {
    let authority = reqwest::Certificate::from_pem(&fixture("ca.pem")).unwrap();
    Client::builder().tls_certs_only([authority]).tls_info(true).build().unwrap()
}

#[tokio::test]
async fn only_clients_that_speak_tls_and_trust_the_certificate_are_answered() {
    let server = Server::start().await;
    let trusting = client();
    assert_eq!(trusting.get(&server.url).send().await.unwrap().status(), 503, "broker and store are away");
    let foreign = Client::builder().build().unwrap();
    assert!(foreign.get(&server.url).send().await.is_err(), "an authority that it does not know");
    let plain = server.url.replace("https", "http");
    assert!(trusting.get(plain).send().await.is_err(), "no TLS");
    drop((trusting, foreign));
    server.stop().await;
}

#[tokio::test]
async fn new_files_are_served_without_cutting_a_connection_and_bad_ones_are_not() {
    let (log, _guard) = Log::capture();
    let server = Server::start().await;
    let before = client();
    let one = server.shown(&before).await;
    put(server.folder.path(), "two", "two");
    let begun = Instant::now();
    let two = loop {
        let shown = server.shown(&client()).await;
        if shown != one {
            break shown;
        }
        assert!(begun.elapsed() < PATIENCE, "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(server.shown(&before).await, one, "the same connection as before");
    put(server.folder.path(), "one", "two");
    let begun = Instant::now();
    while log.count("CP-1015") == 0 {
        assert!(begun.elapsed() < PATIENCE, "the bad files are not told of");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.shown(&client()).await, two, "the certificate before the bad one");
    fs::remove_file(files(server.folder.path()).key).unwrap();
    assert_eq!(server.shown(&client()).await, two);
    drop(before);
    server.stop().await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    let [certificate, key] = [write("a.crt", &fixture("one.pem")), write("a.key", &fixture("one.key"))];
    let good = Certificate::open(&Tls { certificate: certificate.clone(), key: key.clone() }).unwrap();
    assert_eq!(good.ends_at().map(|end| end.to_string()), Some("2126-11-05T03:16:32.000Z".into()));
    let [other, empty, cut] =
        [write("b.key", &fixture("two.key")), write("empty", b""), write("cut", &fixture("one.pem")[..200])];
    let gone = folder.path().join("gone");
    for (certificate, key, named, says) in [
        (&gone, &key, "api.tls.certificate", "cannot be read"),
        (&empty, &key, "api.tls.certificate", "no certificate"),
        (&cut, &key, "api.tls.certificate", "PEM"),
        (&key, &key, "api.tls.certificate", "no certificate"),
        (&certificate, &gone, "api.tls.key", "cannot be read"),
        (&certificate, &empty, "api.tls.key", "no private key"),
        (&certificate, &certificate, "api.tls.key", "no private key"),
        (&certificate, &other, "api.tls.key", "does not go with"),
    ] {
        let files = Tls { certificate: certificate.clone(), key: key.clone() };
        let error = Certificate::open(&files).unwrap_err().to_string();
        assert!(error.contains(named) && error.contains(says), "{error}");
    }
}
