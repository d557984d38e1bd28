//! The workload's end of the control socket.

use super::{Ask, Ready, Say};
use crate::{clock, service::Service};
use std::{io, rc::Rc};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

/// Answers control clients for as long as the process lives.
pub(crate) async fn answer_controls(service: Rc<Service>, listener: UnixListener, ready: Ready) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (service, ready) = (Rc::clone(&service), ready.clone());
                tokio::task::spawn_local(async move {
                    if let Err(error) = converse(&service, stream, ready).await {
                        tracing::debug!(%error, "a control client went away");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a control client could not be accepted");
                crate::run::back_off().await;
            }
        }
    }
}

async fn converse(service: &Service, stream: UnixStream, ready: Ready) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, &Say::Ready(ready)).await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = match serde_json::from_str(&line) {
            Ok(ask) => obey(service, ask),
            Err(error) => Say::Refused(error.to_string()),
        };
        say(&mut stream, &answer).await?;
        if answer == (Say::Bye {}) {
            service.stop.cancel();
        }
        line.clear();
    }
    Ok(())
}

fn obey(service: &Service, ask: Ask) -> Say {
    match ask {
        Ask::Set(behaviour) => match service.behave(&behaviour) {
            Ok(stamp) => Say::Done(stamp),
            Err(error) => Say::Refused(error.to_string()),
        },
        Ask::Mark(text) => {
            service.ledger.mark(&text);
            Say::Done(clock::now())
        }
        Ask::State {} => Say::State(service.state()),
        Ask::Quit {} => Say::Bye {},
    }
}

async fn say(stream: &mut BufReader<UnixStream>, what: &Say) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
