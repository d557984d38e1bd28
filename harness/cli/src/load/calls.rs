//! The call log of a run on disk: written while it runs, read again as CSV.

use crate::{
    args::CallsArgs,
    outcome::{Exit, Failure},
    term::Out,
};
use squall_load::{About, CallReader, CallWriter, Outcome, call_log_head};
use squall_model::{CallRecord, Stamp};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// Bytes that are read, and CSV that is written, at a time.
const PIECE: usize = 1 << 16;

/// A call log being written. Between two writes it holds what has ended since the last one.
pub struct CallLog {
    path: PathBuf,
    file: File,
    writer: CallWriter,
    bytes: Vec<u8>,
}

impl CallLog {
    /// Begins a log, in place of what there was.
    ///
    /// # Errors
    /// Exit 2 where there can be no such file.
    pub fn create(path: &Path, about: &About) -> Result<CallLog, Failure> {
        let file = File::create(path)
            .map_err(|e| Failure::usage(format!("failed to create the call log {}: {e}", path.display())))?;
        let bytes = call_log_head(&about.url, &about.schedule, about.began);
        Ok(CallLog { path: path.to_owned(), file, writer: CallWriter::new(Stamp::default()), bytes })
    }

    /// Moments count from here.
    pub fn begin(&mut self, t0: Stamp) {
        self.writer = CallWriter::new(t0);
    }

    /// Adds a call that has ended.
    pub fn add(&mut self, call: &CallRecord) {
        self.writer.write(call, &mut self.bytes);
    }

    /// Hands the system what has been added.
    ///
    /// # Errors
    /// Exit 3 where the disk does not take it.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let written = self.file.write_all(&self.bytes);
        self.bytes.clear();
        written.map_err(|e| Failure::environment(format!("failed to write the call log {}: {e}", self.path.display())))
    }
}

/// Reads a call log as CSV.
///
/// # Errors
/// Exit 2 where it is none.
pub fn calls(args: &CallsArgs, out: Out) -> Result<Exit, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("failed to read {}: {e}", args.file.display()));
    let mut file = File::open(&args.file).map_err(failed)?;
    let (mut reader, mut piece) = (CallReader::new(), vec![0; PIECE]);
    let mut text = String::from(
        "call,request,user,intended_us,until_sent_us,connect_us,tls_us,first_byte_us,last_byte_us,latency_us,body_bytes,outcome\n",
    );
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            break;
        }
        let wrong = |e: squall_load::CallLogError| Failure::usage(format!("{}: {e}", args.file.display()));
        reader.read(&piece[..read], |call| text += &line(&call)).map_err(wrong)?;
        out.print(&text);
        text.clear();
    }
    if reader.head().is_none() {
        return Err(Failure::usage(format!("{} is no call log", args.file.display())));
    }
    if reader.is_cut_off() {
        out.note("the log ends in the middle of a call: the run that wrote it was killed, or is under way");
    }
    Ok(Exit::Holds)
}

fn line(call: &CallRecord) -> String {
    let course = &call.course;
    let shown = |time: Option<Duration>| time.map_or_else(String::new, micros);
    format!(
        "{},{},{},{},{},{},{},{},{},{},{},{}\n",
        call.seq,
        course.request,
        call.user,
        micros(call.intended.since(Stamp::default())),
        micros(call.sent.since(call.intended)),
        shown(course.connect),
        shown(course.tls),
        shown(course.first_byte.map(|at| at.since(call.sent))),
        shown(course.first_byte.map(|at| call.done.since(at))),
        micros(call.done.since(call.intended)),
        course.received,
        Outcome::of(call).to_string().replace(',', ";"),
    )
}

fn micros(time: Duration) -> String {
    format!("{}.{:03}", time.as_micros(), time.subsec_nanos() % 1_000)
}
