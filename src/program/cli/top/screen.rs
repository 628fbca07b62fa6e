use std::{env, io, sync::Arc, time::Duration};

use futures::StreamExt;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{Event, EventStream, KeyEventKind},
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior},
};

use super::{
    console::Console,
    frame::{self, Look},
    keys::Deed,
    orders::Wanted,
    snapshot::Snapshot,
};
use crate::cli::failure::Failure;
use clawpool_engine::client::{Client, ClientError};

/// The terminal while it is ours. It is given back however this ends.
pub(super) struct Screen {
    client: Arc<Client>,
    terminal: DefaultTerminal,
    look: Look,
    turn: Interval,
    answers: Answers,
}

/// Of questions that are under way while keys are pressed.
struct Answers {
    way: mpsc::Sender<Answer>,
    come: mpsc::Receiver<Answer>,
    /// There is a question without an answer.
    is_awaited: bool,
}

enum Answer {
    Asked(Result<Box<Snapshot>, ClientError>),
    /// What became of an order.
    Ordered(String),
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Answers that wait until they are seen.
const ANSWERS: usize = 16;

/// What happened.
enum Happened {
    Turn,
    Key(Event),
    Answer(Answer),
    Closed,
}

impl Screen {
    pub(super) fn open(client: Client, every: Duration) -> Result<Self, Failure> {
        // NO_COLOR counts where it is not empty.
        let has_colours = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut turn = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let terminal = ratatui::try_init()?;
        let (way, come) = mpsc::channel(ANSWERS);
        let answers = Answers { way, come, is_awaited: false };
        let client = Arc::new(client);
        Ok(Self { client, terminal, look: Look { has_colours }, turn, answers })
    }

    pub(super) async fn run(mut self, mut console: Console, mut snapshot: Snapshot) -> Result<(), Failure> {
        let mut events = EventStream::new();
        loop {
            self.terminal.draw(|frame| frame::draw(frame, &console, &snapshot, self.look))?;
            let deed = match self.next(&mut events).await? {
                Happened::Turn => Deed::Ask,
                Happened::Key(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    console.press(key, &snapshot)
                }
                // Another size is drawn with the next turn of the loop.
                Happened::Key(_) => Deed::Draw,
                Happened::Answer(answer) => self.take(answer, &mut console, &mut snapshot),
                Happened::Closed => Deed::Leave,
            };
            match deed {
                Deed::Draw => {}
                Deed::Ask => self.ask(),
                Deed::Order(wanted) => self.order(wanted),
                Deed::Leave => return Ok(()),
            }
        }
    }

    async fn next(&mut self, events: &mut EventStream) -> io::Result<Happened> {
        Ok(tokio::select! {
            event = events.next() => match event {
                Some(event) => Happened::Key(event?),
                None => Happened::Closed,
            },
            Some(answer) = self.answers.come.recv() => Happened::Answer(answer),
            _ = self.turn.tick() => Happened::Turn,
        })
    }

    /// One question at a time.
    fn ask(&mut self) {
        if std::mem::replace(&mut self.answers.is_awaited, true) {
            return;
        }
        let client = Arc::clone(&self.client);
        let way = self.answers.way.clone();
        tokio::spawn(async move {
            let answer = Snapshot::ask(&client).await.map(Box::new);
            way.send(Answer::Asked(answer)).await
        });
    }

    fn order(&self, wanted: Wanted) {
        let client = Arc::clone(&self.client);
        let way = self.answers.way.clone();
        tokio::spawn(async move {
            let said = match wanted.send(&client).await {
                Ok(()) => format!("done: {}   ({})", wanted.words(), wanted.command()),
                Err(error) => format!("not done: {}", reason(&error)),
            };
            way.send(Answer::Ordered(said)).await
        });
    }

    /// The last picture stays where there is no new one.
    fn take(&mut self, answer: Answer, console: &mut Console, snapshot: &mut Snapshot) -> Deed {
        match answer {
            Answer::Asked(answer) => {
                self.answers.is_awaited = false;
                console.see(answer.map_err(|error| reason(&error)), snapshot);
                Deed::Draw
            }
            Answer::Ordered(said) => {
                console.said = Some(said);
                Deed::Ask
            }
        }
    }
}

/// On one line, and without what would steer the terminal.
fn reason(error: &ClientError) -> String {
    crate::cli::output::plain(&error.to_string(), 200)
}
