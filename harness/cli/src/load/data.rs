//! Tables that calls are filled from: CSV with a head (RFC 4180).

use crate::outcome::Failure;
use squall_traffic::Table;
use std::path::Path;

/// A larger table is no table of examples any more, and it is held in memory.
const MOST: u64 = 256 << 20;

/// Reads a table.
///
/// # Errors
/// Exit 2 where it cannot be read, or rows differ in length; the line is named.
pub fn table(path: &Path) -> Result<Table, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("failed to read {}: {e}", path.display()));
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MOST {
        return Err(Failure::usage(format!("{} has {length} bytes, and a table has at most {MOST}", path.display())));
    }
    parsed(&std::fs::read(path).map_err(failed)?).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
}

fn parsed(bytes: &[u8]) -> Result<Table, String> {
    // A mark of byte order is what spreadsheets begin a table with.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes);
    let columns: Vec<String> = reader.headers().map_err(|e| e.to_string())?.iter().map(str::to_owned).collect();
    if let Some(name) = columns.iter().find(|name| name.is_empty() || name.contains(['{', '}', '+'])) {
        return Err(format!("`{name}` is no name of a column: its first line names the columns"));
    }
    if let Some(twice) = columns.iter().enumerate().find_map(|(at, name)| columns[..at].contains(name).then_some(name))
    {
        return Err(format!("it has two columns `{twice}`"));
    }
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        Ok(row.map_err(|e| e.to_string())?.iter().map(str::to_owned).collect())
    };
    let rows = reader.records().map(row).collect::<Result<Vec<Vec<String>>, String>>()?;
    if rows.is_empty() { Err("it has no rows".to_owned()) } else { Ok(Table { columns, rows }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let table = parsed(b"\xef\xbb\xbfuser, item\nann,\"a, b\"\nbob,\"say \"\"hi\"\"\"\n").unwrap();
        assert_eq!(table.columns, ["user", "item"]);
        assert_eq!(table.rows, [["ann", "a, b"], ["bob", "say \"hi\""]]);
        for (bad, why) in [
            (&b""[..], "no rows"),
            (b"a,b\n", "no rows"),
            (b"a,b\n1,2\n3\n", "line: 3"),
            (b"a,a\n1,2\n", "two columns"),
            (b"a,\n1,2\n", "no name"),
            (b"a\n\xff\n", "UTF-8"),
        ] {
            let error = parsed(bad).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
