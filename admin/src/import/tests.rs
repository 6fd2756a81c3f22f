use super::*;

fn json(text: &str) -> Result<Imported, ImportError> {
    import(text.as_bytes(), Format::Json)
}

fn yaml(text: &str) -> Result<Imported, ImportError> {
    import(text.as_bytes(), Format::Yaml)
}

/// The places that are wrong, with the messages.
fn mistakes(result: Result<Imported, ImportError>) -> Vec<(String, String)> {
    match result {
        Err(ImportError::Invalid(errors)) => {
            errors.into_iter().map(|error| (error.field, error.message)).collect()
        }
        other => panic!("expected mistakes, got {other:?}"),
    }
}

fn lines(imported: &Imported) -> Vec<String> {
    imported
        .routes
        .iter()
        .map(|route| {
            format!("{} {} {}", route.methods, route.template, route.name.as_deref().unwrap_or("-"))
        })
        .collect()
}

const ORDERS: &str = r##"
openapi: 3.1.0
info: {title: Orders, version: "1"}
servers: [{url: "https://orders.example/v7"}, {url: "https://orders.example"}]
x-top: {anything: [1, 2]}
paths:
  x-extension: 5
  /orders:
    summary: All orders
    parameters: [{name: limit, in: query}]
    get: {operationId: listOrders, responses: {"200": {description: OK}}}
    post: {operationId: createOrder, x-internal: true}
  /orders/{id}:
    get: {operationId: getOrder}
    delete: {}
  /files/{*rest}:
    $ref: "#/components/pathItems/Files"
components:
  pathItems:
    Files: {get: {operationId: file}}
  schemas: {Odd: {type: [string, "null"]}}
"##;

const ROUTES: [&str; 5] = [
    "GET /orders listOrders",
    "POST /orders createOrder",
    "GET /orders/{id} getOrder",
    "DELETE /orders/{id} -",
    "GET /files/{*rest} file",
];

#[test]
fn every_operation_becomes_a_route() {
    let imported = yaml(ORDERS).unwrap();
    assert_eq!(lines(&imported), ROUTES);
    assert_eq!(imported.routes[2].pointer, "/paths/~1orders~1{id}/get");
    assert_eq!(
        imported.warnings,
        ["The path of the server `https://orders.example/v7` is not part of the routes."]
    );
}

#[test]
fn json_and_yaml_are_read_alike() {
    let value: serde_json::Value = serde_saphyr::from_str(ORDERS).unwrap();
    let imported = json(&value.to_string()).unwrap();
    let mut sorted = lines(&imported);
    let mut expected = ROUTES.map(String::from);
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
}

#[test]
fn mistakes_name_their_place() {
    let found = mistakes(json(
        r##"{"openapi":"3.0.3","paths":{"/a//b":{"get":{}},"/a/{id}{x}":{"get":{}},"orders":{"get":{}},
            "/q?x=1":{"get":{}},"/r":{"$ref":"other.yaml#/x"},"/s":{"$ref":"#/components/pathItems/None"},
            "/o/{id}":{"get":{}},"/o/{name}":{"get":{}}}}"##,
    ));
    let places: Vec<_> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "/paths/~1a~1~1b",
            "/paths/~1a~1{id}{x}",
            "/paths/orders",
            "/paths/~1q?x=1",
            "/paths/~1r/$ref",
            "/paths/~1s/$ref",
            "/paths/~1o~1{name}/get"
        ]
    );
    assert_eq!(found[6].1, "cannot be told apart from /paths/~1o~1{id}/get");
}

#[test]
fn a_wrong_type_names_its_place() {
    let found = mistakes(json(r#"{"openapi":"3.0.3","paths":{"/a":{"get":{"operationId":5}}}}"#));
    assert_eq!(found[0].0, "/paths/~1a/get/operationId");
}

#[test]
fn other_versions_are_refused() {
    assert_eq!(mistakes(json(r#"{"swagger":"2.0","paths":{"/a":{"get":{}}}}"#))[0].0, "/swagger");
    assert_eq!(mistakes(json(r#"{"openapi":"4.0.0","paths":{"/a":{"get":{}}}}"#))[0].0, "/openapi");
    assert_eq!(mistakes(json(r#"{"paths":{"/a":{"get":{}}}}"#))[0].0, "/openapi");
}

#[test]
fn a_document_without_operations_is_refused() {
    assert_eq!(mistakes(json(r#"{"openapi":"3.1.0","webhooks":{}}"#))[0].0, "/paths");
}

#[test]
fn too_many_operations_are_refused() {
    let paths: Vec<_> =
        (0..=crate::bounds::IMPORT_ROUTES).map(|n| format!("\"/p{n}\":{{\"get\":{{}}}}")).collect();
    let found =
        mistakes(json(&format!(r#"{{"openapi":"3.0.0","paths":{{{}}}}}"#, paths.join(","))));
    assert_eq!(found[0], ("/paths".into(), "has 5001 operations; 5000 can be imported".into()));
}

#[test]
fn what_cannot_be_parsed_is_a_syntax_error() {
    for text in ["{", "{\"openapi\":\"3.1.0\"", "nonsense"] {
        assert!(matches!(json(text), Err(ImportError::Syntax(_))), "{text}");
    }
    for text in ["a: [", "a: b: c", "\t- x", "--- {}\n--- {}"] {
        assert!(matches!(yaml(text), Err(ImportError::Syntax(_))), "{text}");
    }
    assert!(matches!(import(b"a: \xff", Format::Yaml), Err(ImportError::Syntax(_))));
}

#[test]
fn aliases_that_unfold_without_end_are_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(",")));
    }
    bomb.push_str("openapi: 3.1.0\npaths: *a9\n");
    // Unfolded, it would have 10^10 items: more than any memory.
    assert!(matches!(yaml(&bomb), Err(ImportError::Syntax(_))));
}

#[test]
fn the_format_follows_the_media_type() {
    for (media_type, body, format) in [
        ("application/json", "a: b", Some(Format::Json)),
        ("application/vnd.oai.openapi+json", "", Some(Format::Json)),
        ("application/yaml", "{}", Some(Format::Yaml)),
        ("application/vnd.oai.openapi+yaml", "", Some(Format::Yaml)),
        ("", " {", Some(Format::Json)),
        ("text/plain", "openapi:", Some(Format::Yaml)),
        ("image/png", "{", None),
    ] {
        assert_eq!(Format::of(media_type, body.as_bytes()), format, "{media_type}");
    }
}

#[test]
fn security_is_lost_aloud() {
    let imported = yaml(
        r#"
openapi: 3.1.0
security: [{token: [read]}]
paths:
  /a: {get: {}}
  /b: {get: {security: []}, put: {security: [{}, {token: []}]}}
  /c: {get: {security: [{token: [write]}]}, put: {security: [{key: [], cookie: []}]}}
components:
  securitySchemes: {token: {type: oauth2}, key: {type: apiKey}, cookie: {type: apiKey}}
"#,
    );
    let warnings = imported.unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "The security schemes of the description are not imported (`cookie`, `key`, `token`): \
             callers authenticate as `settings.auth` of the site, the API and the route says.",
            "Operations with security schemes of their own: `/paths/~1c/put`. Set `settings.auth` \
             of their routes.",
            "Operations that are public in the description, and are not here: `/paths/~1b/get`, \
             `/paths/~1b/put`. Set `settings.auth` of their routes to `none`.",
            "Scopes that are asked for in the description, and not here: `/security`, \
             `/paths/~1c/get`. Set `settings.scopes` of the API or its routes.",
        ]
    );
}

#[test]
fn a_document_without_security_has_no_warning_of_it() {
    assert!(
        yaml("{openapi: 3.1.0, security: [], paths: {/a: {get: {}}}}").unwrap().warnings.is_empty()
    );
    let unused = "{openapi: 3.1.0, paths: {/a: {get: {}}}, components: {securitySchemes: {key: \
                  {type: apiKey}}}}";
    assert!(yaml(unused).unwrap().warnings.is_empty());
}

#[test]
fn malformed_security_keeps_no_route_from_being_imported() {
    for security in
        ["5", "null", "text", "{a: b}", "[1, [2], {3: 4, a: {b: c}}, null, 1.5, true]", "[{a: b}]"]
    {
        let text = format!(
            "{{openapi: 3.1.0, security: {security}, paths: {{/a: {{get: {{security: \
             {security}}}}}}}}}"
        );
        assert_eq!(lines(&yaml(&text).unwrap()), ["GET /a -"], "{security}");
    }
    let wrong = r#"{"openapi":"3.1.0","security":{"a":[1]},"paths":{"/a":{"get":{"security":[5,{"b":null}]}}}}"#;
    assert_eq!(lines(&json(wrong).unwrap()), ["GET /a -"]);
}
