//! A TCP relay in front of the server, with which a test breaks the network.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Fair,
    /// Those there are end; new ones end at once.
    Cut,
    /// As a server out of memory behaves: it says so and reads no more.
    Blocked,
    /// As a busy server behaves: from the next consumer's start on, its answers come only when the weather changes.
    Hesitant,
}

/// The class and method of basic.consume, in a frame.
const CONSUME: [u8; 4] = [0, 60, 0, 20];

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    /// And how often it was cut: a relay may sleep through a short one.
    weather: watch::Sender<(Weather, u32)>,
}

impl Proxy {
    pub(super) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, seen) = watch::channel((Weather::Fair, 0));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, seen.clone()));
            }
        });
        Self { address, weather }
    }

    pub(super) fn set(&self, weather: Weather) {
        self.weather.send_modify(|(now, cuts)| {
            *now = weather;
            *cuts += u32::from(weather == Weather::Cut);
        });
    }
}

async fn relay(client: TcpStream, server: SocketAddr, mut weather: watch::Receiver<(Weather, u32)>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    let mut client = client;
    let began = weather.borrow().1;
    loop {
        let (now, cuts) = *weather.borrow_and_update();
        match now {
            _ if cuts != began => return,
            Weather::Cut => return,
            Weather::Blocked => client.write_all(&blocked()).await.unwrap(),
            Weather::Hesitant => {
                if hesitate(&mut client, &mut server, &mut weather).await.is_err() {
                    return;
                }
                continue;
            }
            Weather::Fair => {
                // Cancelled at a change: bytes read and not written yet would be lost, so tests change it when all is quiet.
                let copied = tokio::io::copy_bidirectional(&mut client, &mut server);
                tokio::select! {
                    _ = copied => return,
                    _ = weather.changed() => continue,
                }
            }
        }
        if weather.changed().await.is_err() {
            return;
        }
    }
}

/// Until the weather changes.
async fn hesitate(
    client: &mut TcpStream,
    server: &mut TcpStream,
    weather: &mut watch::Receiver<(Weather, u32)>,
) -> std::io::Result<()> {
    let (mut said, mut answered, mut silent) = ([0; 16 * 1024], [0; 16 * 1024], false);
    loop {
        tokio::select! {
            read = client.read(&mut said) => {
                let said = &said[..some(read?)?];
                silent |= said.windows(CONSUME.len()).any(|bytes| bytes == CONSUME);
                server.write_all(said).await?;
            }
            read = server.read(&mut answered), if !silent => client.write_all(&answered[..some(read?)?]).await?,
            _ = weather.changed() => return Ok(()),
        }
    }
}

fn some(read: usize) -> std::io::Result<usize> {
    if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
}

/// The frame of the AMQP method connection.blocked.
fn blocked() -> Vec<u8> {
    let reason = b"low on memory";
    let size = u32::try_from(4 + 1 + reason.len()).unwrap();
    let header = [&[1, 0, 0][..], &size.to_be_bytes(), &[0, 10, 0, 60, reason.len() as u8]].concat();
    [&header[..], reason, &[0xce]].concat()
}
