//! A picture of terminal output, made from the output itself.

use std::fmt::Write;

/// Columns, pixels a column, pixels a line, margin.
const COLUMN: f64 = 8.43;
const LINE: usize = 19;
const MARGIN: usize = 18;

/// Draws text with ANSI colours as an SVG that opens anywhere, no script, no font to fetch.
#[must_use]
pub fn svg(ansi: &str, title: &str) -> String {
    let lines: Vec<Vec<Span>> = ansi.trim_end().lines().map(spans).collect();
    let columns = lines.iter().map(|l| l.iter().map(|s| s.text.chars().count()).sum::<usize>()).max().unwrap_or(0);
    let width = (columns as f64 * COLUMN) as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#12161c\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d6dde6\">\n",
        escape(title)
    );
    for (n, line) in lines.iter().enumerate() {
        let y = MARGIN + n * LINE + 13;
        let _ = write!(out, "<text xml:space=\"preserve\" y=\"{y}\">");
        let mut column = 0;
        for span in line {
            let length = span.text.chars().count();
            let x = MARGIN as f64 + column as f64 * COLUMN;
            let _ = write!(
                out,
                "<tspan x=\"{x:.1}\" textLength=\"{:.1}\"{}>{}</tspan>",
                length as f64 * COLUMN,
                span.attributes(),
                escape(&span.text)
            );
            column += length;
        }
        out.push_str("</text>\n");
    }
    out + "</g>\n</svg>\n"
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Span {
    text: String,
    colour: Option<u8>,
    bold: bool,
    faint: bool,
}

impl Span {
    fn attributes(&self) -> String {
        let mut text = String::new();
        let fill = match (self.colour, self.faint) {
            (Some(1), _) => Some("#ff6b6b"),
            (Some(2), _) => Some("#63d297"),
            (Some(3), _) => Some("#f2c55c"),
            (Some(6), _) => Some("#6cb6ff"),
            (_, true) => Some("#7d8896"),
            _ => None,
        };
        if let Some(fill) = fill {
            let _ = write!(text, " fill=\"{fill}\"");
        }
        if self.bold {
            text.push_str(" font-weight=\"bold\"");
        }
        text
    }
}

/// Splits a line at its colour codes (`ESC [ … m`).
fn spans(line: &str) -> Vec<Span> {
    let mut all = Vec::new();
    let mut current = Span::default();
    let mut rest = line;
    while let Some(start) = rest.find("\u{1b}[") {
        current.text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('m') else { break };
        let codes = &rest[start + 2..start + end];
        if !current.text.is_empty() {
            all.push(current.clone());
            current.text.clear();
        }
        codes.split(';').for_each(|code| dress(&mut current, code));
        rest = &rest[start + end + 1..];
    }
    current.text.push_str(rest);
    if !current.text.is_empty() {
        all.push(current);
    }
    all
}

fn dress(span: &mut Span, code: &str) {
    match code.parse::<u8>() {
        Ok(0) | Err(_) => *span = Span { text: std::mem::take(&mut span.text), ..Span::default() },
        Ok(1) => span.bold = true,
        Ok(2) => span.faint = true,
        Ok(22) => (span.bold, span.faint) = (false, false),
        Ok(39) => span.colour = None,
        Ok(colour @ 30..=37) => span.colour = Some(colour - 30),
        Ok(_) => {}
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans() {
        let all = spans("plain \u{1b}[32m✓\u{1b}[39m \u{1b}[1mbold\u{1b}[0m");
        assert_eq!(all.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["plain ", "✓", " ", "bold"]);
        assert_eq!(all[1].colour, Some(2));
        assert!(all[3].bold);
    }

    #[test]
    fn text_is_escaped() {
        assert!(svg("a < b & \"c\"", "t").contains("a &lt; b &amp; &quot;c&quot;"));
    }
}
