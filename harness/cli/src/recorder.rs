//! The one thread that writes: every event to `events.jsonl` as it comes, and to the terminal.

use crate::term::Out;
use squall_engine::Stopper;
use squall_model::{RunEvent, Verdict};
use squall_report::{FAIL_FAST, Stories, Terminal, write_event};
use std::{
    fs::File,
    io::{BufWriter, Write},
    sync::mpsc::Receiver,
    thread::JoinHandle,
};

/// How the run is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Every claim and fault, not only those that did not hold.
    pub verbose: bool,
    /// What is unsupported counts as green.
    pub allow_unsupported: bool,
}

/// Writes until the last sender is gone, and gives what it has read.
pub fn start(
    events: Receiver<RunEvent>,
    mut files: Vec<BufWriter<File>>,
    out: Out,
    shown: Shown,
    fail_fast: Option<Stopper>,
) -> std::io::Result<JoinHandle<Stories>> {
    std::thread::Builder::new().name("recorder".into()).spawn(move || {
        let Shown { verbose, allow_unsupported } = shown;
        let mut terminal = Terminal::new(out.style, verbose).allowing_unsupported(allow_unsupported);
        let mut live = false;
        for event in events {
            record(&mut files, &event);
            let text = terminal.read(&event);
            if live && (!text.is_empty() || out.live) {
                out.print_error("\r\u{1b}[2K");
                live = false;
            }
            out.print(&text);
            if let Some(line) = terminal.live().filter(|_| out.live) {
                out.print_error(&line);
                live = true;
            }
            if let Some(stopper) = &fail_fast
                && counts(&event, terminal.stories())
                && is_red(&event, allow_unsupported)
            {
                stopper.stop(FAIL_FAST);
            }
        }
        if live {
            out.print_error("\r\u{1b}[2K");
        }
        terminal.stories().clone()
    })
}

/// A record that cannot be written must not end the run: the verdicts still reach the terminal.
fn record(files: &mut [BufWriter<File>], event: &RunEvent) {
    let Ok(line) = write_event(event) else { return };
    for file in files {
        let _ = file.write_all(line.as_bytes());
        let _ = file.flush();
    }
}

/// What is in quarantine stops nothing.
fn counts(event: &RunEvent, stories: &Stories) -> bool {
    let story = event.of.as_ref().and_then(|of| stories.scenario(&of.plan));
    story.is_some_and(|story| story.queued.quarantine.is_none())
}

fn is_red(event: &RunEvent, allow_unsupported: bool) -> bool {
    match &event.body {
        squall_model::Body::Finished(finished) => {
            let main = event.of.as_ref().is_some_and(|of| of.variation == squall_model::Variation::Main);
            let allowed = allow_unsupported && matches!(finished.verdict, Verdict::Unsupported(_));
            main && !allowed && finished.verdict != Verdict::Holds
        }
        squall_model::Body::Controlled(controlled) => controlled.result == squall_model::ControlResult::Vacuous,
        _ => false,
    }
}
