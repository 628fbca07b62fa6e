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

/// What the proxy does with connections. Bytes that it holds back go on when the mode changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Normal,
    /// Open connections end; new ones end at once.
    Disconnected,
    /// As a server out of memory behaves: it says so and reads no more.
    Blocked,
    /// The same, but it says so only to a client that sends something.
    BlockedOnPublish,
    /// As a busy server behaves: from the next consumer's start on, its answers come only when the mode
    /// changes.
    SlowConsume,
    /// The server's answers are held back.
    NoAnswers,
    /// Nothing passes, and connections stay open: a cable is out.
    Silent,
    /// New connections are accepted and never served, also in later modes: the other end lost them.
    NeverServed,
}

impl Mode {
    const fn holds_requests(self) -> bool {
        matches!(self, Self::Disconnected | Self::Blocked | Self::BlockedOnPublish | Self::Silent)
    }

    const fn holds_answers(self) -> bool {
        matches!(self, Self::Disconnected | Self::NoAnswers | Self::Silent)
    }
}

/// The class and method of basic.consume, in a frame.
const CONSUME: [u8; 4] = [0, 60, 0, 20];

type ModeReceiver = watch::Receiver<(Mode, u32)>;

pub struct Proxy {
    pub address: SocketAddr,
    /// With the number of times it was `Disconnected`: a relay may miss a short one.
    mode: watch::Sender<(Mode, u32)>,
    never_served: watch::Receiver<u32>,
}

impl Proxy {
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, mut seen) = watch::channel((Mode::Normal, 0));
        let (count, never_served) = watch::channel(0);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                if seen.borrow_and_update().0 == Mode::NeverServed {
                    kept.push(client);
                    count.send_modify(|number| *number += 1);
                } else {
                    tokio::spawn(relay(client, server, seen.clone()));
                }
            }
        });
        Self { address, mode, never_served }
    }

    /// Waits until so many connections were made that are never served.
    pub async fn never_served(&self, connections: u32) {
        self.never_served.clone().wait_for(|count| *count >= connections).await.unwrap();
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_modify(|(now, disconnects)| {
            *now = mode;
            *disconnects += u32::from(mode == Mode::Disconnected);
        });
    }
}

async fn relay(client: TcpStream, server: SocketAddr, mut mode: ModeReceiver) {
    let (began, disconnects) = *mode.borrow_and_update();
    if began == Mode::Disconnected {
        return;
    }
    let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
    let (from_client, to_client) = client.into_split();
    // True once the client sent something that the mode reacts to.
    let (sent, heard) = watch::channel(false);
    tokio::select! {
        _ = requests(from_client, to_server, mode.clone(), sent) => {}
        _ = answers(from_server, to_client, mode.clone(), heard) => {}
        _ = mode.wait_for(|(_, now)| *now != disconnects) => {}
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    mut mode: ModeReceiver,
    sent: watch::Sender<bool>,
) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let said = some(client.read(&mut chunk).await)?;
        let said = &chunk[..said];
        let now = mode.borrow().0;
        let consumes = said.windows(CONSUME.len()).any(|bytes| bytes == CONSUME);
        if now == Mode::BlockedOnPublish || now == Mode::SlowConsume && consumes {
            sent.send_replace(true);
        }
        mode.wait_for(|(now, _)| !now.holds_requests()).await.ok()?;
        server.write_all(said).await.ok()?;
    }
}

async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut mode: ModeReceiver,
    mut sent: watch::Receiver<bool>,
) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    let mut told = false;
    loop {
        let (now, _) = *mode.borrow_and_update();
        let blocked = now == Mode::Blocked || now == Mode::BlockedOnPublish && *sent.borrow_and_update();
        if blocked && !told {
            client.write_all(&blocked_frame()).await.ok()?;
        }
        if told && now == Mode::Normal {
            client.write_all(&UNBLOCKED).await.ok()?;
        }
        told = blocked || told && now != Mode::Normal;
        let is_slow = now == Mode::SlowConsume && *sent.borrow_and_update();
        tokio::select! {
            biased;
            changed = mode.changed() => changed.ok()?,
            changed = sent.changed() => changed.ok()?,
            read = server.read(&mut chunk), if !now.holds_answers() && !is_slow => {
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
