//! Outlines: each row of the examples is a scenario.

use super::{Case, Reader, number};
use crate::nearest;
use crate::source::Mistake;
use std::ops::Range;

/// A row of a table with its line, from 0.
struct Row {
    cells: Vec<String>,
    line: usize,
}

impl Reader<'_> {
    /// The scenarios of an outline.
    pub(super) fn rows(&mut self, case: &Case, examples: &[gherkin::Examples]) -> Vec<Case> {
        let mut cases = Vec::new();
        let tables: Vec<(&gherkin::Examples, Vec<Row>)> = examples.iter().map(|e| (e, self.table(e))).collect();
        if tables.iter().all(|(_, rows)| rows.len() < 2) {
            let mistake = Mistake::error("no-examples", 0..0, "this outline has no examples, so nothing of it runs")
                .label("not a single row")
                .hint("add `Examples:` with a heading row and at least one more, or write `Scenario:`");
            self.mistakes.push(mistake.at(case.origin.clone()));
            return cases;
        }
        for (example, rows) in &tables {
            let mut rows = rows.iter();
            let Some(heading) = rows.next() else { continue };
            self.unused_columns(case, heading);
            let tag_line = self.keyword_line(example.span.start, &example.keyword);
            let tags = self.scan.tags.get(&tag_line).into_iter().flatten().map(|tag| (3, tag.clone()));
            let tags: Vec<_> = case.tags.iter().cloned().chain(tags).collect();
            for row in rows {
                let values = heading.cells.iter().cloned().zip(row.cells.iter().cloned()).collect();
                cases.push(self.row(case, row, values, tags.clone()));
            }
        }
        cases
    }

    fn row(&mut self, case: &Case, row: &Row, values: Vec<(String, String)>, tags: Vec<(usize, super::Tag)>) -> Case {
        let steps = case.steps.iter().map(|step| {
            let (text, unknown) = step.text.filled(&values);
            (super::Step { text, ..step.clone() }, unknown)
        });
        let (steps, unknown): (Vec<_>, Vec<_>) = steps.unzip();
        let lost = unknown.iter().zip(&case.steps).any(|(unknown, step)| step.own && !unknown.is_empty());
        // Only the steps of the outline itself have placeholders: `<` in a Background is a text like any other.
        // One that is left with a placeholder is no sentence, and told already.
        let steps = steps
            .into_iter()
            .zip(&case.steps)
            .zip(&unknown)
            .filter(|((_, old), unknown)| !old.own || unknown.is_empty())
            .map(|((new, old), _)| if old.own { new } else { old.clone() })
            .collect();
        for (name, place) in unknown.into_iter().zip(&case.steps).filter(|(_, s)| s.own).flat_map(|(u, _)| u) {
            self.unknown_placeholder(&name, place, &values);
        }
        let line = self.index.line(row.line);
        let text = &self.index.text[line.clone()];
        let start = line.start + (text.len() - text.trim_start().len());
        Case {
            name: name_of(&case.template, &values),
            template: case.template.clone(),
            tags,
            origin: self.index.origin(start..line.end),
            lines: number(row.line)..=number(row.line),
            shared: Some(case.lines.clone()),
            row: values,
            steps,
            broken: case.broken || lost,
        }
    }

    fn unknown_placeholder(&mut self, name: &str, place: Range<usize>, values: &[(String, String)]) {
        let near = nearest::name(name, values.iter().map(|(column, _)| column.as_str()));
        let columns: Vec<String> = values.iter().map(|(column, _)| format!("`{column}`")).collect();
        let hint = match near {
            Some(near) => format!("did you mean `<{near}>`?"),
            None => format!("the examples have {}", columns.join(", ")),
        };
        let mistake = Mistake::error("placeholder", place.clone(), format!("the examples have no column `{name}`"))
            .label("stays as it is written")
            .hint(hint);
        let origin = self.index.origin(place);
        self.mistakes.push(mistake.at(origin));
    }

    fn unused_columns(&mut self, case: &Case, heading: &Row) {
        for column in &heading.cells {
            let placeholder = format!("<{column}>");
            let used =
                case.template.contains(&placeholder) || case.steps.iter().any(|s| s.text.text.contains(&placeholder));
            if used {
                continue;
            }
            let line = self.index.line(heading.line);
            let at = line.start + self.index.text[line.clone()].find(column.as_str()).unwrap_or(0);
            let span = at..at + column.len();
            let mistake = Mistake::warning("placeholder", span.clone(), format!("no step says {placeholder}"))
                .label("this column changes nothing");
            let origin = self.index.origin(span);
            self.mistakes.push(mistake.at(origin));
        }
    }

    /// The rows of a table, with their lines: Gherkin has places for whole tables only.
    fn table(&self, examples: &gherkin::Examples) -> Vec<Row> {
        let Some(table) = &examples.table else { return Vec::new() };
        let first = self.index.line_of(table.span.start);
        let is_row = |number: &usize| self.index.text[self.index.line(*number)].trim_start().starts_with('|');
        let lines = (first..self.index.lines()).filter(is_row);
        table.rows.iter().zip(lines).map(|(cells, line)| Row { cells: cells.clone(), line }).collect()
    }
}

/// The name with its placeholders filled in; where it has none, with the row behind it, so that rows can be told apart.
fn name_of(template: &str, row: &[(String, String)]) -> String {
    let filled =
        row.iter().fold(template.to_owned(), |name, (column, value)| name.replace(&format!("<{column}>"), value));
    if filled != template {
        return filled;
    }
    let cells: Vec<String> = row.iter().map(|(column, value)| format!("{column} {value}")).collect();
    format!("{template} ({})", cells.join(", "))
}
