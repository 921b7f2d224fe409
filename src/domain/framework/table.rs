//! Frameworks as a table: columns `key`, `title`, `parent`, `kind`, `description`, `code`, as in extracts of ESCO.

use super::super::mastery::Fault;
use super::{Draft, DraftCompetency};

const COLUMNS: [&str; 6] = ["key", "title", "parent", "kind", "description", "code"];

/// Reads the rows of a table, already cut into cells, with every fault: a column missing, unknown or twice; a row with more or fewer
/// cells than the header.
#[must_use]
pub fn read(header: &[String], rows: &[Vec<String>]) -> (Draft, Vec<Fault>) {
    let mut faults = Vec::new();
    for (n, name) in header.iter().enumerate() {
        let detail = if !COLUMNS.contains(&name.as_str()) {
            format!("`{name}` is not a column of a framework.")
        } else if header.iter().take(n).any(|before| before == name) {
            format!("The column `{name}` is there twice.")
        } else {
            continue;
        };
        faults.push(Fault { pointer: format!("/header/{n}"), detail });
    }
    for needed in ["key", "title"] {
        if !header.iter().any(|name| name == needed) {
            faults.push(Fault { pointer: "/header".to_owned(), detail: format!("The column `{needed}` is missing.") });
        }
    }
    let mut competencies = Vec::with_capacity(rows.len());
    let mut places = Vec::with_capacity(rows.len());
    for (n, row) in rows.iter().enumerate() {
        if row.len() != header.len() {
            let detail = format!("The row has {} cells, the header {}.", row.len(), header.len());
            faults.push(Fault { pointer: format!("/rows/{n}"), detail });
            continue;
        }
        let mut competency = DraftCompetency::default();
        for (name, cell) in header.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            match name.as_str() {
                "key" => competency.key.clone_from(cell),
                "title" => competency.title.clone_from(cell),
                "parent" => competency.parent = Some(cell.clone()),
                "kind" => competency.kind = Some(cell.clone()),
                "description" => competency.description = Some(cell.clone()),
                "code" => competency.code = Some(cell.clone()),
                _ => {}
            }
        }
        competencies.push(competency);
        places.push(n);
    }
    (Draft { competencies, places, ..Draft::default() }, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn rows_become_competencies_and_empty_cells_nothing() {
        let rows = [cells("k1,Hygiene,,category"), cells("k2,Wash hands,k1,skill")];
        let (draft, faults) = read(&cells("key,title,parent,kind"), &rows);
        assert!(faults.is_empty());
        assert_eq!(draft.competencies[0].parent, None);
        assert_eq!(draft.competencies[1].parent.as_deref(), Some("k1"));
        assert_eq!(draft.competencies[1].kind.as_deref(), Some("skill"));
        assert!(draft.check("/rows", &super::super::Gaps::default()).is_empty());
    }

    #[test]
    fn all_faults_of_a_table_are_named() {
        let (_, faults) = read(&cells("key,colour,key"), &[cells("a,b")]);
        let pointers: Vec<_> = faults.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(pointers, ["/header/1", "/header/2", "/header", "/rows/0"]);
    }
}
