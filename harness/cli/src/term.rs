//! Standard output and standard error, and what they can show.

use crate::{args::When, outcome::Failure};
use squall_report::{Colour, Style};
use std::io::{IsTerminal, Write};

/// Where words go.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// How standard output is dressed.
    pub style: Style,
    /// How standard error is dressed.
    pub error_style: Style,
    /// Whether standard error can redraw a line.
    pub live: bool,
}

/// Wider lines are hard to read.
const WIDTH: usize = 100;

impl Out {
    /// By the flag, `NO_COLOR`, and what the streams are.
    pub fn new(color: When) -> Out {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let wanted = |terminal: bool| match color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !no_color,
        };
        let said = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        // A line that is redrawn must not wrap.
        let seen = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0).min(WIDTH));
        let width = said.or_else(seen).unwrap_or(WIDTH);
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let style = |terminal| Style { colour: wanted(terminal), width };
        Out { style: style(out), error_style: style(err), live: out && err && color != When::Never }
    }

    /// Writes to standard output. A reader that went away is no error of ours.
    pub fn print(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }

    /// Writes a remark to standard error.
    pub fn note(self, text: &str) {
        // What was written before it is to be seen before it, where both go to one place.
        let _ = std::io::stdout().lock().flush();
        let _ = writeln!(std::io::stderr().lock(), "{}", self.error_style.paint(Colour::Faint, text));
    }

    /// Writes to standard error as it is.
    pub fn print_error(self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a failure to standard error.
    pub fn error(self, failure: &Failure) {
        if failure.is_plain() {
            self.print_error(&failure.to_string());
            return;
        }
        let _ = writeln!(std::io::stderr().lock(), "{} {failure}", self.error_style.paint(Colour::Red, "error:"));
    }
}

/// `SQUALL_LOG=debug` shows what the rooms trace.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SQUALL_LOG")
        // What does not come of a request is told by whoever made it.
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,kube_client=off"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
