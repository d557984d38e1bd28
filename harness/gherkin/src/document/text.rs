//! A line with its placeholders filled in, that still knows where each of its characters was written.

use std::ops::Range;

/// Text and where it came from. Without placeholders it is one piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    /// Bytes of the text.
    here: Range<usize>,
    /// Bytes of the source that it stands for.
    there: Range<usize>,
    /// Written as it is: bytes correspond one to one.
    verbatim: bool,
}

impl Text {
    /// Text as it stands in the source from this byte on.
    pub(crate) fn verbatim(text: &str, from: usize) -> Text {
        let piece = Piece { here: 0..text.len(), there: from..from + text.len(), verbatim: true };
        Text { text: text.to_owned(), pieces: vec![piece] }
    }

    /// The same with `<name>` replaced by the value of that name; names that have none stay, and are given back.
    pub(crate) fn filled(&self, row: &[(String, String)]) -> (Text, Vec<(String, Range<usize>)>) {
        let from = self.pieces.first().map_or(0, |p| p.there.start);
        let (mut filled, mut unknown, mut done) = (Text::default(), Vec::new(), 0);
        for (open, close) in placeholders(&self.text) {
            let name = &self.text[open + 1..close - 1];
            let place = from + open..from + close;
            filled.push(&self.text[done..open], from + done..from + open, true);
            match row.iter().find(|(column, _)| column == name) {
                Some((_, value)) => filled.push(value, place, false),
                None => {
                    filled.push(&self.text[open..close], place.clone(), true);
                    unknown.push((name.to_owned(), place));
                }
            }
            done = close;
        }
        filled.push(&self.text[done..], from + done..from + self.text.len(), true);
        (filled, unknown)
    }

    /// Adds a text that stands for these bytes of the source; verbatim: byte for byte.
    pub(crate) fn push(&mut self, text: &str, there: Range<usize>, verbatim: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece { here: start..self.text.len(), there, verbatim });
    }

    /// The bytes of the source that these bytes of the text stand for; of a placeholder, all of it.
    pub(crate) fn source(&self, span: Range<usize>) -> Range<usize> {
        let start = self.there(span.start, true);
        let end = self.there(span.end, false);
        start..end.max(start)
    }

    fn there(&self, at: usize, begins: bool) -> usize {
        let holds = |p: &&Piece| {
            if begins { p.here.start <= at && at < p.here.end } else { p.here.start < at && at <= p.here.end }
        };
        match self.pieces.iter().find(holds) {
            Some(piece) if piece.verbatim => piece.there.start + (at - piece.here.start),
            Some(piece) if begins => piece.there.start,
            Some(piece) => piece.there.end,
            None if at == 0 => self.pieces.first().map_or(0, |p| p.there.start),
            None => self.pieces.last().map_or(0, |p| p.there.end),
        }
    }
}

/// The placeholders of a text: from `<` to behind `>`.
pub(crate) fn placeholders(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find('<').map(|at| from + at) {
        let Some(close) = text[open..].find('>').map(|at| open + at + 1) else { break };
        match text[open + 1..close - 1].contains('<') {
            true => from = open + 1,
            false => {
                found.push((open, close));
                from = close;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_line_knows_where_it_was_written() {
        let line = Text::verbatim("calls to <who> fail <n> times", 100);
        let row = [("who".to_owned(), "\"reviews\"".to_owned()), ("n".to_owned(), "3".to_owned())];
        let (filled, unknown) = line.filled(&row);
        assert_eq!(filled.text, "calls to \"reviews\" fail 3 times");
        assert_eq!(unknown, []);
        let source = |word: &str| filled.source(filled.text.find(word).map(|at| at..at + word.len()).unwrap());
        assert_eq!(source("calls"), 100..105);
        assert_eq!(source("reviews"), 109..114, "the whole placeholder");
        assert_eq!(source("fail"), 115..119);
        assert_eq!(source("3"), 120..123);
        assert_eq!(source("times"), 124..129);
        assert_eq!(filled.source(0..filled.text.len()), 100..129);
    }

    #[test]
    fn unknown_placeholders_stay() {
        let (filled, unknown) = Text::verbatim("<a> < <b>", 10).filled(&[("b".into(), "x".into())]);
        assert_eq!(filled.text, "<a> < x");
        assert_eq!(unknown, [("a".to_owned(), 10..13)]);
    }
}
