use super::*;

fn json(text: &str) -> Result<Imported, ImportError> {
    import(text.as_bytes(), Format::Json, &Stop::default())
}

fn yaml(text: &str) -> Result<Imported, ImportError> {
    import(text.as_bytes(), Format::Yaml, &Stop::default())
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
    assert!(matches!(
        import(b"a: \xff", Format::Yaml, &Stop::default()),
        Err(ImportError::Syntax(_))
    ));
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

#[tokio::test]
async fn a_document_of_any_depth_is_answered() {
    let block = |depth: usize| -> String {
        (0..depth).map(|level| format!("{}a:\n", " ".repeat(level))).collect()
    };
    let beginning = "openapi: 3.1.0\npaths: {/a: {get: {}}}\n";
    for depth in [20, 120, 127, 128, 129, 1_000, 4_000] {
        let flow = |open: &str, middle: &str, close: &str| {
            format!("{beginning}x-deep: {}{middle}{}\n", open.repeat(depth), close.repeat(depth))
        };
        let security = format!("security: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        for text in [
            block(depth),
            flow("[", "", "]"),
            flow("{a: ", "1", "}"),
            flow("- ", "1", ""),
            format!("{beginning}{security}"),
        ] {
            let outcome = import_apart(text.into_bytes(), Format::Yaml, ()).await;
            assert!(!matches!(outcome, Err(ImportError::NoThread)), "{depth} deep");
            assert!(depth <= 128 || outcome.is_err(), "{depth} deep");
        }
        let text = format!(
            r#"{{"openapi":"3.1.0","security":{}{},"paths":{{"/a":{{"get":{{}}}}}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let outcome = import_apart(text.into_bytes(), Format::Json, ()).await;
        assert_eq!(outcome.is_ok(), depth < 127, "{depth} deep, and an object around it");
    }
}

/// A description whose paths refer to path items: `paths` of them to the last of `items`.
fn referring(items: usize, paths: usize, last: &str) -> String {
    let last_name = items - 1;
    let paths: Vec<_> = (0..paths)
        .map(|n| format!(r##""/{n}":{{"$ref":"#/components/pathItems/{last_name}"}}"##))
        .collect();
    let items: Vec<_> = (0..last_name).map(|n| format!(r#""{n}":{{}}"#)).collect();
    format!(
        r#"{{"openapi":"3.1.0","paths":{{{}}},"components":{{"pathItems":{{{},"{last_name}":{last}}}}}}}"#,
        paths.join(","),
        items.join(",")
    )
}

#[test]
fn references_are_as_many_as_routes() {
    let most = crate::bounds::IMPORT_ROUTES;
    let imported = json(&referring(2 * most, most, r#"{"get":{}}"#)).unwrap();
    assert_eq!(imported.routes.len(), most);
    let found = mistakes(json(&referring(2, most, r#"{"get":{},"put":{}}"#)));
    assert_eq!(found[0], ("/paths".into(), "has 10000 operations; 5000 can be imported".into()));
    let found = mistakes(json(&referring(2 * most + 1, 1, "{}")));
    assert!(found[0].1.contains("has more than 10000 entries"), "{found:?}");
}

#[test]
fn what_references_unfold_to_is_bounded() {
    let requirements = vec![r#"{"a":[]}"#; 10_000].join(",");
    let last = format!(r#"{{"get":{{"security":[{requirements}]}}}}"#);
    let found = mistakes(json(&referring(2, 1_000, &last)));
    assert!(found[0].1.contains("1000000 can be read"), "{found:?}");
}

#[test]
fn work_for_which_nobody_waits_ends() {
    let stop = Stop::default();
    drop(stop.unless_waited_for());
    for format in [Format::Json, Format::Yaml] {
        let outcome = import(ORDERS.as_bytes(), format, &stop);
        assert!(matches!(outcome, Err(ImportError::Stopped)), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_held_for_the_work_is_held_until_it_ends() {
    let held = std::sync::Arc::new(());
    let kept = std::sync::Arc::downgrade(&held);
    import_apart(ORDERS.as_bytes(), Format::Yaml, held).await.unwrap();
    assert!(kept.upgrade().is_none());
}
