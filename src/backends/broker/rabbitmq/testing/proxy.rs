//! A TCP relay in front of the server, with which a test breaks the network.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What happens to connections. What is held back comes when the weather allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Those there are end; new ones end at once.
    Cut,
    /// As a server out of memory behaves: it says so and reads no more.
    Blocked,
    /// The same, but it says so only to who sends something.
    BlockedLate,
    /// As a busy server behaves: from the next consumer's start on, its answers come only when the weather changes.
    Hesitant,
    /// The server's answers are held back.
    Unanswered,
    /// Nothing passes, and nobody is told: a cable is out.
    Silent,
    /// New connections are taken by nobody, and stay so: their other end forgot them.
    Forgotten,
}

impl Weather {
    const fn holds_requests(self) -> bool {
        matches!(self, Self::Cut | Self::Blocked | Self::BlockedLate | Self::Silent)
    }

    const fn holds_answers(self) -> bool {
        matches!(self, Self::Cut | Self::Unanswered | Self::Silent)
    }
}

/// The class and method of basic.consume, in a frame.
const CONSUME: [u8; 4] = [0, 60, 0, 20];

type Forecast = watch::Receiver<(Weather, u32)>;

pub struct Proxy {
    pub address: SocketAddr,
    /// And how often it was cut: a relay may sleep through a short one.
    weather: watch::Sender<(Weather, u32)>,
    forgotten: watch::Receiver<u32>,
}

impl Proxy {
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, mut seen) = watch::channel((Weather::Fair, 0));
        let (forget, forgotten) = watch::channel(0);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                if seen.borrow_and_update().0 == Weather::Forgotten {
                    kept.push(client);
                    forget.send_modify(|count| *count += 1);
                } else {
                    tokio::spawn(relay(client, server, seen.clone()));
                }
            }
        });
        Self { address, weather, forgotten }
    }

    /// Until so many connections were made that nobody will answer.
    pub async fn forgotten(&self, connections: u32) {
        self.forgotten.clone().wait_for(|count| *count >= connections).await.unwrap();
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_modify(|(now, cuts)| {
            *now = weather;
            *cuts += u32::from(weather == Weather::Cut);
        });
    }
}

async fn relay(client: TcpStream, server: SocketAddr, mut weather: Forecast) {
    let (began, cuts) = *weather.borrow_and_update();
    if began == Weather::Cut {
        return;
    }
    let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
    let (from_client, to_client) = client.into_split();
    // Told when the client sent something that the weather has an answer to.
    let (spoke, heard) = watch::channel(false);
    tokio::select! {
        _ = requests(from_client, to_server, weather.clone(), spoke) => {}
        _ = answers(from_server, to_client, weather.clone(), heard) => {}
        _ = weather.wait_for(|(_, now)| *now != cuts) => {}
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    mut weather: Forecast,
    spoke: watch::Sender<bool>,
) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let said = some(client.read(&mut chunk).await)?;
        let said = &chunk[..said];
        let now = weather.borrow().0;
        let consumes = said.windows(CONSUME.len()).any(|bytes| bytes == CONSUME);
        if now == Weather::BlockedLate || now == Weather::Hesitant && consumes {
            spoke.send_replace(true);
        }
        weather.wait_for(|(now, _)| !now.holds_requests()).await.ok()?;
        server.write_all(said).await.ok()?;
    }
}

async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut weather: Forecast,
    mut spoke: watch::Receiver<bool>,
) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    let mut told = false;
    loop {
        let (now, _) = *weather.borrow_and_update();
        let blocked = now == Weather::Blocked || now == Weather::BlockedLate && *spoke.borrow_and_update();
        if blocked && !told {
            client.write_all(&blocked_frame()).await.ok()?;
        }
        if told && now == Weather::Fair {
            client.write_all(&UNBLOCKED).await.ok()?;
        }
        told = blocked || told && now != Weather::Fair;
        let hesitates = now == Weather::Hesitant && *spoke.borrow_and_update();
        tokio::select! {
            biased;
            changed = weather.changed() => changed.ok()?,
            changed = spoke.changed() => changed.ok()?,
            read = server.read(&mut chunk), if !now.holds_answers() && !hesitates => {
                client.write_all(&chunk[..some(read)?]).await.ok()?;
            }
        }
    }
}

fn some(read: std::io::Result<usize>) -> Option<usize> {
    read.ok().filter(|read| *read > 0)
}

/// The frame of the AMQP method connection.unblocked.
const UNBLOCKED: [u8; 12] = [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xce];

/// The frame of the AMQP method connection.blocked.
fn blocked_frame() -> Vec<u8> {
    let reason = b"low on memory";
    let size = u32::try_from(4 + 1 + reason.len()).unwrap();
    let header = [&[1, 0, 0][..], &size.to_be_bytes(), &[0, 10, 0, 60, reason.len() as u8]].concat();
    [&header[..], reason, &[0xce]].concat()
}
