//! Reads what is appended to a file, whole lines only, from where it stopped the last time.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A file that others append to.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    file: Option<File>,
    partial: Vec<u8>,
}

impl Tail {
    /// From the end as it is now: what was written before belongs to others. The file may come later.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub(crate) fn from_here(path: &Path) -> io::Result<Tail> {
        let mut tail = Tail { path: path.to_owned(), file: None, partial: Vec::new() };
        tail.open()?;
        if let Some(file) = &mut tail.file {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(tail)
    }

    /// From the beginning: all of it is ours.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub(crate) fn from_start(path: &Path) -> io::Result<Tail> {
        let mut tail = Tail { path: path.to_owned(), file: None, partial: Vec::new() };
        tail.open()?;
        Ok(tail)
    }

    /// Calls `line` for each whole line that was appended since the last time.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(crate) fn read(&mut self, mut line: impl FnMut(&str)) -> io::Result<()> {
        if self.file.is_none() && !self.open()? {
            return Ok(());
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.read_to_end(&mut self.partial)?;
        let whole = self.partial.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        for text in self.partial[..whole].split(|b| *b == b'\n').filter(|text| !text.is_empty()) {
            line(&String::from_utf8_lossy(text));
        }
        self.partial.drain(..whole);
        Ok(())
    }

    fn open(&mut self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_from_where_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let mut tail = Tail::from_here(&path).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut seen = Vec::new();
        file.write_all(b"one\ntw").unwrap();
        tail.read(|line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["one"]);
        file.write_all(b"o\nthree\n").unwrap();
        tail.read(|line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two", "three"]);
    }

    #[test]
    fn the_file_may_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::from_here(&path).unwrap();
        let mut seen = Vec::new();
        tail.read(|line| seen.push(line.to_owned())).unwrap();
        std::fs::write(&path, "first\n").unwrap();
        tail.read(|line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["first"]);
    }
}
