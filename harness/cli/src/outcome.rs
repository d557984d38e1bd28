//! How the program ends: one enum of exit codes, one type of failure.

use std::{fmt, process::ExitCode};

/// The exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All hold.
    Holds,
    /// Something is violated, or vacuous.
    Violated,
    /// Usage, syntax, lint.
    Usage,
    /// The environment, an error of ours, or a run that was interrupted: nothing was shown.
    Environment,
    /// Nothing ran.
    NothingRan,
    /// Nothing violated, but something inconclusive or unsupported.
    Inconclusive,
}

impl Exit {
    /// From the totals' own rule.
    pub fn of_status(status: u8) -> Exit {
        match status {
            0 => Exit::Holds,
            1 => Exit::Violated,
            2 => Exit::Usage,
            4 => Exit::NothingRan,
            5 => Exit::Inconclusive,
            _ => Exit::Environment,
        }
    }
}

impl Exit {
    /// The worst of several: a red never hides behind an error.
    pub fn worst(exits: impl Iterator<Item = Exit>) -> Exit {
        let rank = |exit: &Exit| match exit {
            Exit::Usage => 5,
            Exit::Violated => 4,
            Exit::Environment => 3,
            Exit::Inconclusive => 2,
            Exit::NothingRan => 1,
            Exit::Holds => 0,
        };
        exits.max_by_key(rank).unwrap_or(Exit::NothingRan)
    }
}

impl Exit {
    /// As a number.
    pub fn status(self) -> u8 {
        match self {
            Exit::Holds => 0,
            Exit::Violated => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::NothingRan => 4,
            Exit::Inconclusive => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.status())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    help: Vec<String>,
    /// Already dressed, with carets: printed as it is.
    plain: bool,
}

impl Failure {
    /// The user asked for something that cannot be meant.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into(), help: Vec::new(), plain: false }
    }

    /// Mistakes in files, rendered with carets.
    pub fn mistakes(rendered: String) -> Failure {
        Failure { exit: Exit::Usage, message: rendered, help: Vec::new(), plain: true }
    }

    /// The machine lacks something, or something of ours failed.
    pub fn environment(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Environment, message: message.into(), help: Vec::new(), plain: false }
    }

    /// Nothing was selected.
    pub fn nothing(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::NothingRan, message: message.into(), help: Vec::new(), plain: false }
    }

    /// The ways out.
    #[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "only a cluster is examined by trying"))]
    pub fn helps(&self) -> &[String] {
        &self.help
    }

    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help.push(help.into());
        self
    }

    /// Its exit status.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// True where the message is complete as it is.
    pub fn is_plain(&self) -> bool {
        self.plain
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "\n  help: {help}"))
    }
}
