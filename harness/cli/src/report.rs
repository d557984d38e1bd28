//! `report`: a recorded run, read again. `recover`: what earlier runs left.

use crate::{
    args::{Format, PlaceArgs, PlaceKind, ReportArgs},
    cluster,
    outcome::{Exit, Failure},
    term::Out,
};
use squall_place::{Fate, Recovery, RunRecovery};
use squall_report::{Style, Terminal, junit, read_events, summary, svg};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// Writes what a recorded run said, to the same words, or as another reader has it.
pub fn report(args: &ReportArgs, out: Out) -> Result<Exit, Failure> {
    let folder = if args.run == "last" { last(&args.out)? } else { named(&args.out, &args.run)? };
    let path = folder.join("events.jsonl");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Failure::usage(format!("failed to read {}: {e}", path.display())))?;
    let events = read_events(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
    let style = if args.format == Format::Svg { Style { colour: true, width: 110 } } else { out.style };
    let mut terminal = Terminal::new(style, args.verbose);
    let shown: String = events.iter().map(|event| terminal.read(event)).collect();
    let stories = terminal.stories();
    match args.format {
        Format::Terminal => {
            out.print(&shown);
            if stories.totals.is_none() {
                out.print(&format!(
                    "\nthe run did not end by itself\n{}",
                    squall_report::closing(stories, false, style)
                ));
            }
        }
        Format::Junit => {
            let xml = junit(stories).map_err(|e| Failure::environment(format!("failed to write JUnit: {e}")))?;
            out.print(&xml);
        }
        Format::Summary => {
            let json = summary(stories);
            out.print(&format!("{}\n", json.map_err(|e| Failure::environment(e.to_string()))?));
        }
        Format::Svg => out.print(&svg(&shown, "a run of squall")),
    }
    Ok(Exit::Holds)
}

/// Removes what earlier runs left, and says what it was.
pub fn recover(args: &PlaceArgs, out: Out) -> Result<Exit, Failure> {
    if args.on == PlaceKind::Kubernetes {
        return cluster::leftovers(args.context.as_deref(), out);
    }
    let recovery = squall_place::recover();
    out.print(&told(&recovery));
    if recovery.is_clean() {
        Ok(Exit::Holds)
    } else {
        Err(Failure::environment("something is left; see above, and try again as its owner"))
    }
}

/// A recovery in words.
pub fn told(recovery: &Recovery) -> String {
    let mut text = String::new();
    if recovery.runs.is_empty() {
        text.push_str("nothing was left by any earlier run\n");
    }
    recovery.runs.iter().for_each(|run| tell_run(&mut text, run));
    for folder in &recovery.running {
        let _ = writeln!(text, "{} is alive, and was not touched", folder.display());
    }
    text
}

fn tell_run(text: &mut String, run: &RunRecovery) {
    let _ = writeln!(text, "{} was left by a run that is dead", run.folder.display());
    for process in &run.ended {
        let fate = match process.fate {
            Fate::Killed => "was killed",
            Fate::Ended => "ended by itself",
            Fate::Survived => "does not die",
        };
        let _ = writeln!(text, "  {} (pid {}) {fate}", process.name, process.pid);
    }
    match &run.left {
        None => text.push_str("  its folder was removed\n"),
        Some(why) => {
            let _ = writeln!(text, "  its folder is still there: {why}");
        }
    }
}

/// The run that was recorded last: names begin with date and time.
fn last(out: &Path) -> Result<PathBuf, Failure> {
    let none = || Failure::nothing(format!("no run is recorded in {}", out.display())).help("squall run records one");
    let runs = std::fs::read_dir(out).map_err(|_| none())?;
    runs.flatten().map(|entry| entry.path()).filter(|p| p.join("events.jsonl").is_file()).max().ok_or_else(none)
}

fn named(out: &Path, run: &str) -> Result<PathBuf, Failure> {
    [PathBuf::from(run), out.join(run)].into_iter().find(|p| p.join("events.jsonl").is_file()).ok_or_else(|| {
        Failure::usage(format!("no run `{run}` is recorded here")).help(format!("look into {}", out.display()))
    })
}
