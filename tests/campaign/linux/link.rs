//! A TCP link that can be broken in the ways in which networks break.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

/// How a link treats what comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weather {
    Fair,
    /// Connections are reset as soon as they are made.
    Refusing,
    /// Connections are taken, and nobody ever answers on them.
    Deaf,
    /// Nothing passes; it will when the weather changes.
    Holding,
    /// Every piece is that late.
    Slow(Duration),
}

/// What befalls the connections that there are; counted, so that each of them sees what is new to it.
#[derive(Clone, Copy, PartialEq)]
struct State {
    weather: Weather,
    resets: u32,
    losses: u32,
    hang_ups: u32,
}

/// From one program to one server.
pub struct Link {
    pub name: String,
    pub address: String,
    state: watch::Sender<State>,
}

/// How a connection through a link ended.
enum End {
    Closed,
    Reset,
    /// Neither side hears of it.
    Lost,
    /// The server's side is closed, and the client is not told.
    HungUp,
}

impl Link {
    pub async fn to(name: String, server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (state, seen) =
            watch::channel(State { weather: Weather::Fair, resets: 0, losses: 0, hang_ups: 0 });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), seen.clone()));
            }
        });
        Self { name, address, state }
    }

    pub fn set(&self, weather: Weather) {
        self.state.send_modify(|state| state.weather = weather);
    }

    /// Both sides of every connection learn at once that it is gone.
    pub fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// Half-open for good: whatever is sent disappears.
    pub fn lose(&self) {
        self.state.send_modify(|state| state.losses += 1);
    }

    /// The server learns of it, the client does not.
    pub fn hang_up(&self) {
        self.state.send_modify(|state| state.hang_ups += 1);
    }
}

async fn carry(mut client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let born = *state.borrow_and_update();
    let server = match born.weather {
        Weather::Fair | Weather::Holding | Weather::Slow(_) => TcpStream::connect(server).await.ok(),
        Weather::Refusing | Weather::Deaf => None,
    };
    let Some(mut server) = server else {
        if born.weather == Weather::Deaf {
            until_reset(&mut state, born).await;
        }
        return hard_close(&client);
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let end = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            _ = pump(from_client, to_server, state.clone()) => End::Closed,
            _ = pump(from_server, to_client, state.clone()) => End::Closed,
            end = fate(state.clone(), born) => end,
        }
    };
    match end {
        End::Closed => return,
        End::Reset => {}
        End::Lost => until_reset(&mut state, born).await,
        End::HungUp => {
            drop(server);
            until_reset(&mut state, born).await;
            return hard_close(&client);
        }
    }
    hard_close(&client);
    hard_close(&server);
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let size = from.read(&mut piece).await?;
        if size == 0 {
            return Ok(());
        }
        let weather = state.borrow_and_update().weather;
        match weather {
            Weather::Holding => drop(state.wait_for(|state| state.weather != Weather::Holding).await),
            Weather::Slow(late) => tokio::time::sleep(late).await,
            Weather::Fair | Weather::Refusing | Weather::Deaf => {}
        }
        to.write_all(&piece[..size]).await?;
    }
}

/// Until something befalls the connection that was not so when it was made.
async fn fate(mut state: watch::Receiver<State>, born: State) -> End {
    loop {
        let now = *state.borrow_and_update();
        if now.resets != born.resets {
            return End::Reset;
        }
        if now.losses != born.losses {
            return End::Lost;
        }
        if now.hang_ups != born.hang_ups {
            return End::HungUp;
        }
        if state.changed().await.is_err() {
            return End::Reset;
        }
    }
}

async fn until_reset(state: &mut watch::Receiver<State>, born: State) {
    let _ = state.wait_for(|state| state.resets != born.resets).await;
}

/// With a reset in place of a good-bye.
fn hard_close(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
