//! The OpenAPI document is complete.

use std::collections::BTreeSet;

use admin::rights::permissions::Who;
use admin::rights::table;
use serde_json::Value;

use crate::harness::{Api, with_api};
use crate::publishing::World;

/// One operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) value: Value,
}

/// All operations of the document.
pub(crate) async fn operations(api: &Api) -> Vec<Operation> {
    let document = api.get("/openapi.json").await.expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
                value: operation.clone(),
            });
        }
    }
    operations
}

#[tokio::test]
async fn the_permission_table_and_the_document_have_the_same_operations() {
    with_api(async |api| {
        let documented: Vec<String> =
            operations(api).await.into_iter().map(|operation| operation.id).collect();
        let set: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
        assert_eq!(set.len(), documented.len(), "two operations have the same id");
        let table: BTreeSet<&str> = table::all().map(|row| row.id).collect();
        assert_eq!(table.len(), table::all().count(), "two rows of rights/table have the same id");
        assert_eq!(
            set, table,
            "add the missing rows to rights/table, or take those out that have no operation"
        );
    })
    .await;
}

#[tokio::test]
async fn every_operation_is_described() {
    with_api(async |api| {
        let document = api.get("/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let tags: Vec<_> =
            document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect();
        for operation in operations(api).await {
            let Operation { id, value, .. } = &operation;
            let responses = value["responses"].as_object().unwrap();
            assert!(value["summary"].is_string(), "{id} has a summary");
            assert!(tags.contains(&value["tags"][0]), "{id} has a tag of the list");
            let has = |status: &str| assert!(responses.contains_key(status), "{id} has {status}");
            if table::who(id) == Some(Who::Anyone) {
                assert_eq!(value["security"], serde_json::json!([]), "{id} is open");
                continue;
            }
            let who = table::who(id).unwrap();
            assert_eq!(value["x-tenantry-role"], who.name(), "{id} shows its role");
            assert!(
                value["description"].as_str().unwrap().ends_with(who.text()),
                "{id} says its role"
            );
            assert_ne!(value["security"], serde_json::json!([]), "{id} is closed");
            for status in ["401", "403", "429", "500", "503"] {
                has(status);
            }
            if operation.path.contains('{') {
                has("404");
            }
            if matches!(operation.method.as_str(), "PATCH" | "DELETE") {
                has("412");
            }
            if value.get("requestBody").is_some() {
                ["400", "413", "415", "422"].into_iter().for_each(has);
            }
            if let Some(created) = responses.get("201") {
                for header in ["ETag", "Location", "Idempotency-Replayed"] {
                    assert!(created["headers"].get(header).is_some(), "{id} has {header}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    with_api(async |api| {
        let document = api.get("/openapi.json").await.json();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 100);
        for reference in references {
            let pointer = reference
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("{reference} leaves the document"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    })
    .await;
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn every_example_of_a_body_is_taken() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let mut taken = 0;
        for operation in operations(api).await {
            let examples =
                &operation.value["requestBody"]["content"]["application/json"]["examples"];
            for (name, example) in examples.as_object().into_iter().flatten() {
                assert!(example["summary"].is_string(), "{} {name} has a summary", operation.id);
                let call =
                    api.call(operation.method.parse().unwrap(), &world.path(&operation.path));
                let reply = call.json(&example["value"]).send().await;
                let status = if operation.method == "POST" { 201 } else { 200 };
                assert_eq!(reply.status, status, "{} {name}: {}", operation.id, reply.text());
                taken += 1;
            }
        }
        assert!(taken >= 20, "{taken}");
    })
    .await;
}

#[tokio::test]
async fn every_field_is_described() {
    // Names that need no description.
    const PLAIN: [&str; 5] = ["id", "created_at", "updated_at", "methods", "path"];
    with_api(async |api| {
        let document = api.get("/openapi.json").await.json();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            for (field, value) in schema["properties"].as_object().into_iter().flatten() {
                let described = value["description"].is_string()
                    || value.get("$ref").is_some()
                    || value["oneOf"]
                        .as_array()
                        .is_some_and(|any| any.iter().any(|one| one.get("$ref").is_some()));
                assert!(
                    described || PLAIN.contains(&field.as_str()),
                    "{name}.{field} has no description"
                );
            }
        }
    })
    .await;
}
