//! CASE packages (1EdTech Competencies and Academic Standards Exchange 1.0 and 1.1): in and out.
//!
//! Read is what makes the tree; what else a package says is passed over, because the standard lets senders extend it, and named.

mod parse;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Draft, DraftCompetency, MAX_TITLE};

pub use self::parse::parse;

const CHILD_OF: &str = "isChildOf";

/// A CASE package.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Package {
    /// The framework.
    #[serde(rename = "CFDocument")]
    pub document: Document,
    /// Its competencies.
    #[serde(rename = "CFItems")]
    pub items: Vec<Item>,
    /// How they hang together.
    #[serde(rename = "CFAssociations")]
    pub associations: Vec<Association>,
    /// How often it says what Cairn does not keep.
    #[serde(skip)]
    pub passed_over: BTreeMap<String, usize>,
}

/// A framework in CASE.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Its id.
    pub identifier: String,
    /// Where it is published.
    pub uri: String,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// What it is called.
    pub title: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change_date_time: Option<String>,
}

/// A competency in CASE.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its id.
    pub identifier: String,
    /// Where it is published.
    pub uri: String,
    /// What it says.
    pub full_statement: String,
    /// The same, shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abbreviated_statement: Option<String>,
    /// The code by which people know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub human_coding_scheme: Option<String>,
    /// What kind of entry it is.
    #[serde(rename = "CFItemType", skip_serializing_if = "Option::is_none")]
    pub item_type: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change_date_time: Option<String>,
}

/// A link between two nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// Its id.
    pub identifier: String,
    /// Where it is published.
    pub uri: String,
    /// What kind of link it is.
    pub association_type: String,
    /// Place among the siblings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<i64>,
    /// From here.
    #[serde(rename = "originNodeURI")]
    pub origin: Node,
    /// To here.
    #[serde(rename = "destinationNodeURI")]
    pub destination: Node,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change_date_time: Option<String>,
}

/// A reference to a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Node {
    /// What it is called.
    pub title: String,
    /// Its id.
    pub identifier: String,
    /// Where it is published.
    pub uri: String,
}

fn short(item: &Item) -> Option<&str> {
    item.abbreviated_statement.as_deref().filter(|text| !text.trim().is_empty())
}

/// What a competency is called: its statement, or the shorter one. Of a statement that is too long for a title and has no shorter one
/// the title is the beginning; the whole of it stands in the description.
fn title(item: &Item) -> String {
    if let Some(short) = short(item) {
        return short.to_owned();
    }
    match item.full_statement.char_indices().nth(MAX_TITLE) {
        None => item.full_statement.clone(),
        Some(_) => item.full_statement.chars().take(MAX_TITLE.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Reads a package. Siblings stand by their sequence number, then as in the package; of several parents the first is kept.
#[must_use]
pub fn read(package: &Package) -> Draft {
    let document = &package.document;
    let mut parents: HashMap<&str, (&str, i64, usize)> = HashMap::with_capacity(package.items.len());
    let mut left_out = package.passed_over.clone();
    for (n, link) in package.associations.iter().enumerate() {
        if link.association_type != CHILD_OF {
            *left_out.entry(format!("associations of type {}", link.association_type)).or_default() += 1;
            continue;
        }
        if link.origin.identifier.is_empty() || link.destination.identifier.is_empty() {
            continue;
        }
        let place = (link.destination.identifier.as_str(), link.sequence_number.unwrap_or(i64::MAX), n);
        if parents.contains_key(link.origin.identifier.as_str()) {
            *left_out.entry("further parents of a competency".to_owned()).or_default() += 1;
        } else {
            parents.insert(&link.origin.identifier, place);
        }
    }
    let mut items: Vec<_> = package.items.iter().enumerate().collect();
    items.sort_by_key(|(_, item)| parents.get(item.identifier.as_str()).map_or(i64::MAX, |(_, sequence, _)| *sequence));
    let places = items.iter().map(|(place, _)| *place).collect();
    let link = |item: &Item| Some(format!("/CFAssociations/{}", parents.get(item.identifier.as_str())?.2));
    let links = items.iter().map(|(_, item)| link(item)).collect();
    let competencies = items.into_iter().map(|(_, item)| DraftCompetency {
        key: item.identifier.clone(),
        title: title(item),
        parent: parents
            .get(item.identifier.as_str())
            .map(|(parent, ..)| (*parent).to_owned())
            .filter(|parent| *parent != document.identifier),
        code: item.human_coding_scheme.clone(),
        kind: item.item_type.clone(),
        description: (title(item) != item.full_statement || short(item).is_some()).then(|| item.full_statement.clone()),
    });
    Draft {
        source: Some(document.identifier.clone()),
        title: document.title.clone(),
        description: document.description.clone(),
        creator: document.creator.clone(),
        version: document.version.clone(),
        competencies: competencies.collect(),
        places,
        links,
        left_out: left_out.into_iter().map(|(what, n)| format!("{n} {what}")).collect(),
    }
}

/// What a link from a competency upwards is called: always the same, and like nothing else.
fn association_id(document: &str, key: &str) -> String {
    let digest = Sha256::digest(format!("{CHILD_OF} {document} {key}"));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Writes a package; `id` is the document's, `base` where its parts are published, `changed` when it was last changed.
#[must_use]
pub fn write(draft: &Draft, id: &str, base: &str, changed: &str) -> Package {
    let changed = Some(changed.to_owned());
    let document = Document {
        identifier: id.to_owned(),
        uri: format!("{base}/CFDocuments/{id}"),
        creator: draft.creator.clone(),
        title: draft.title.clone(),
        description: draft.description.clone(),
        version: draft.version.clone(),
        last_change_date_time: changed.clone(),
    };
    let root =
        Node { title: document.title.clone(), identifier: document.identifier.clone(), uri: document.uri.clone() };
    let node = |c: &DraftCompetency| Node {
        title: c.code.clone().unwrap_or_else(|| c.title.clone()),
        identifier: c.key.clone(),
        uri: format!("{base}/CFItems/{}", c.key),
    };
    let nodes: HashMap<&str, Node> = draft.competencies.iter().map(|c| (c.key.as_str(), node(c))).collect();
    let items = draft.competencies.iter().map(|c| Item {
        identifier: c.key.clone(),
        uri: format!("{base}/CFItems/{}", c.key),
        full_statement: c.description.clone().unwrap_or_else(|| c.title.clone()),
        abbreviated_statement: c.description.is_some().then(|| c.title.clone()),
        human_coding_scheme: c.code.clone(),
        item_type: c.kind.clone(),
        last_change_date_time: changed.clone(),
    });
    let associations = (1..).zip(&draft.competencies).map(|(n, c)| (n, c, association_id(id, &c.key)));
    let associations = associations.map(|(n, c, link)| Association {
        uri: format!("{base}/CFAssociations/{link}"),
        identifier: link,
        association_type: CHILD_OF.to_owned(),
        sequence_number: Some(n),
        origin: node(c),
        destination: c.parent.as_deref().and_then(|p| nodes.get(p)).unwrap_or(&root).clone(),
        last_change_date_time: changed.clone(),
    });
    let (items, associations) = (items.collect(), associations.collect());
    Package { document, items, associations, passed_over: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package() -> Package {
        let node = |id: &str| json!({"title": id, "identifier": id, "uri": format!("https://cases.example/{id}")});
        let item =
            |id: &str| json!({"identifier": id, "uri": "u", "fullStatement": format!("Item {id}"), "notes": "x"});
        let link = |from: &str, to: &str, kind: &str, n: i64| {
            json!({"identifier": "l", "uri": "u", "associationType": kind, "sequenceNumber": n,
                "originNodeURI": node(from), "destinationNodeURI": node(to)})
        };
        of(&json!({
            "CFDocument": {"identifier": "doc", "adoptionStatus": "Adopted", "officialSourceURL": null, "uri": "u", "title": "Care", "description": "All of care", "creator": "A school"},
            "CFItems": [item("b"), item("a"), item("c")],
            "CFAssociations": [
                link("a", "doc", CHILD_OF, 1), link("b", "doc", CHILD_OF, 2), link("c", "a", CHILD_OF, 3),
                link("c", "b", CHILD_OF, 4), link("b", "a", "precedes", 1)
            ],
            "CFDefinitions": {"CFItemTypes": [], "CFSubjects": [{"identifier": "s"}]}, "CFRubrics": []
        }))
    }

    fn of(value: &serde_json::Value) -> Package {
        let (package, faults) = parse(value);
        assert!(faults.is_empty(), "{faults:?}");
        package
    }

    #[test]
    fn siblings_stand_by_sequence_and_what_is_not_kept_is_named() {
        let draft = read(&package());
        assert_eq!(draft.description.as_deref(), Some("All of care"));
        let tree: Vec<_> = draft.competencies.iter().map(|c| (c.key.as_str(), c.parent.as_deref())).collect();
        assert_eq!(tree, [("a", None), ("b", None), ("c", Some("a"))]);
        let kept_not = [
            "1 CFDefinitions.CFSubjects",
            "1 CFDocument.adoptionStatus",
            "3 CFItems.notes",
            "1 associations of type precedes",
            "1 further parents of a competency",
        ];
        assert_eq!(draft.left_out, kept_not);
        assert_eq!(draft.places, [1, 0, 2], "where each stands in the package");
        assert!(draft.check("/CFItems", &super::super::Gaps::default()).is_empty());
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut draft = read(&package());
        draft.left_out.clear();
        draft.places = vec![0, 1, 2];
        draft.links = (0..3).map(|n| Some(format!("/CFAssociations/{n}"))).collect();
        draft.competencies[0].description = Some("All of it".to_owned());
        let written = write(&draft, "doc", "https://lms.example/ims/case/v1p0", "2026-01-01T00:00:00Z");
        let mut ids: Vec<_> = written.associations.iter().map(|link| link.identifier.as_str()).collect();
        ids.extend(written.items.iter().map(|item| item.identifier.as_str()));
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 6, "{ids:?}");
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(read(&of(&serde_json::from_str(&text).unwrap())), draft);
    }

    #[test]
    fn a_statement_that_is_no_title_is_kept_as_the_description() {
        let mut given = package();
        given.items[0].full_statement = "é".repeat(1000);
        given.items[1].full_statement = "é".repeat(1001);
        let draft = read(&given);
        let found = |key: &str| draft.competencies.iter().find(|c| c.key == key).unwrap();
        assert_eq!((found("b").title.chars().count(), &found("b").description), (1000, &None));
        assert_eq!(found("a").title, format!("{}…", "é".repeat(999)));
        assert_eq!(found("a").description, Some("é".repeat(1001)));
    }

    #[test]
    fn every_fault_of_a_package_is_named() {
        let pointers =
            |value: serde_json::Value| parse(&value).1.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>();
        assert_eq!(pointers(json!([{}, [], []])), [""]);
        assert_eq!(pointers(json!({"CFItems": 5})), ["/CFDocument", "/CFItems", "/CFAssociations"]);
        let package = json!({"CFDocument": {"identifier": 5, "uri": "u", "version": []}, "CFItems": [{"uri": "u", "fullStatement": "x"}, []],
            "CFAssociations": [{"identifier": "a", "uri": "u", "associationType": "isChildOf", "sequenceNumber": "1", "originNodeURI": {"title": "t"}}]});
        assert_eq!(
            pointers(package),
            [
                "/CFDocument/identifier",
                "/CFDocument/title",
                "/CFDocument/version",
                "/CFItems/0/identifier",
                "/CFItems/1",
                "/CFAssociations/0/sequenceNumber",
                "/CFAssociations/0/originNodeURI/identifier",
                "/CFAssociations/0/originNodeURI/uri",
                "/CFAssociations/0/destinationNodeURI"
            ]
        );
    }

    #[test]
    fn a_fault_of_the_tree_stands_where_the_tree_is_said() {
        let mut given = package();
        given.associations[1].destination.identifier = "nowhere".to_owned();
        given.associations[2].destination.identifier = "c".to_owned();
        let faults = read(&given).check("/CFItems", &super::super::Gaps::default());
        let mut pointers: Vec<_> = faults.into_iter().map(|fault| fault.pointer).collect();
        pointers.sort();
        assert_eq!(pointers, ["/CFAssociations/1", "/CFAssociations/2"]);
    }
}
