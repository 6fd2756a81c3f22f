use super::*;

fn read<'a>(headers: &'a [Header<'a>]) -> Request<'a> {
    Request::read(headers, false)
}

#[test]
fn reserved_headers_are_listed_and_the_query_is_apart() {
    let headers: [Header<'_>; 5] = [
        (b":path", b"/a?b=/c?d&e&f=g"),
        (b"x-tenantry-site", b"1"),
        (b"x-tenantry-zzz", b"\xff"),
        (b"x-tenantry", b"2"),
        (header_name::CREDENTIAL.as_bytes(), b"Bearer x"),
    ];
    let request = read(&headers);
    assert_eq!(request.path, b"/a");
    assert_eq!(request.query, Some(&b"b=/c?d&e&f=g"[..]));
    let parameters: Vec<_> = request.parameters().collect();
    assert_eq!(parameters, [(&b"b"[..], &b"/c?d"[..]), (b"e", b""), (b"f", b"g")]);
    assert_eq!(request.reserved, [&b"x-tenantry-site"[..], b"x-tenantry-zzz"]);
    assert_eq!(request.authorization, [b"Bearer x"]);
}

#[test]
fn a_length_that_is_none_is_not_known() {
    for (value, length) in
        [("12", Some(12)), ("", None), ("-1", None), ("1e3", None), ("99999999999999999999", None)]
    {
        assert_eq!(
            read(&[(b"content-length", value.as_bytes())]).content_length,
            length,
            "{value}"
        );
    }
}

#[test]
fn a_listener_of_a_tenants_own_leads_to_that_tenant_alone() {
    let tenant: TenantId = "0192f0c1-0000-7000-8000-000000000001".parse().expect("an id");
    let other: TenantId = "0192f0c1-0000-7000-8000-000000000002".parse().expect("an id");
    let of = |value: &'static [u8]| [(header_name::LISTENER.as_bytes(), value)];
    let own = of(b"0192f0c1-0000-7000-8000-000000000001");
    let request = Request::read(&own, false);
    assert!(request.may_reach(tenant) && !request.may_reach(other));
    assert_eq!(request.reserved, [header_name::LISTENER.as_bytes()], "it goes no further");
    for malformed in [of(b""), of(b"\xff"), of(b"all")] {
        assert!(!Request::read(&malformed, false).may_reach(tenant));
    }
    assert!(Request::default().may_reach(tenant), "the shared listener leads to all");
}
