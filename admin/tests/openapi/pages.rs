//! Pages of `docs/` that are made from this program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use admin::config::Cli;
use clap::CommandFactory as _;
use stack::reference::{described_metrics, flag_tables, hold, metric_table};

use crate::current;

#[test]
fn the_page_of_flags_has_those_of_the_program() {
    hold("docs/operate/flags.md", "tenantry-admin", &flag_tables(&Cli::command()));
}

#[test]
fn the_page_of_metrics_has_those_of_the_program() {
    let metrics = described_metrics(admin::metrics::describe);
    hold("docs/operate/metrics.md", "tenantry-admin", &metric_table(&metrics));
}

/// A section for each tag, in the order of the document; a row for each operation.
#[test]
fn the_page_of_permissions_has_every_operation() {
    let document = current();
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let text = |field: &str| operation[field].as_str().unwrap_or_default();
            let section = sections.entry(operation["tags"][0].as_str().unwrap_or_default());
            let _ = writeln!(
                section.or_default(),
                "| `{}` | `{} {path}` | {} |",
                text("operationId"),
                method.to_uppercase(),
                text("x-tenantry-role"),
            );
        }
    }
    let mut page = String::new();
    for tag in document["tags"].as_array().expect("tags") {
        let (name, about) = (tag["name"].as_str(), tag["description"].as_str());
        let (name, about) = (name.expect("a name"), about.unwrap_or_default());
        let rows = sections.remove(name).expect("operations of the tag");
        let _ = write!(
            page,
            "## {name}\n\n{about}\n\n| operation | request | for |\n|---|---|---|\n{rows}\n"
        );
    }
    assert!(sections.is_empty(), "tags that the document does not list: {sections:?}");
    hold("docs/use/permissions.md", "permissions", &page);
}
