use super::{
    super::{Window, testing::*},
    *,
};

fn named(name: &str) -> Limit {
    Limit::new(7, name, rate(100, 1_000, 20).measure)
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8(value).expect("ASCII")
}

#[test]
fn numbers_are_written_as_they_are_read() {
    for value in
        (0..1_000).chain([9_999, 10_000, 99_999, 123_456_789, INTEGER_MAX - 1, INTEGER_MAX])
    {
        let mut written = b"=".to_vec();
        push_number(&mut written, value);
        assert_eq!(text(written), format!("={value}"));
    }
}

#[test]
fn the_standing_is_told_in_whole_seconds_rounded_up() {
    let limit = named("per key");
    let told =
        |remaining, reset_ms| text(ratelimit(&Standing { limit: &limit, remaining, reset_ms }));
    assert_eq!(told(17, 1), r#""per key";r=17;t=1"#);
    assert_eq!(told(0, 1_000), r#""per key";r=0;t=1"#);
    assert_eq!(told(20, 0), r#""per key";r=20;t=0"#);
    assert_eq!(told(u64::MAX, u64::MAX), r#""per key";r=999999999999999"#);
}

#[test]
fn policies_are_told_with_their_windows() {
    let month = Limit::new(8, "month", quota(5_000, Window::Month).measure);
    let (zone, february) = (Zone::default(), 1_770_000_000_000);
    assert_eq!(text(ratelimit_policy(&named("burst"), &zone, february)), r#""burst";q=100;w=1"#);
    assert_eq!(text(ratelimit_policy(&month, &zone, february)), r#""month";q=5000;w=2419200"#);
}

#[test]
fn a_period_that_is_not_whole_seconds_is_told_as_the_next_longer() {
    let told = |requests, per_ms| text(ratelimit_policy(&rate(requests, per_ms, 1), utc(), 0));
    assert_eq!(told(10, 500), r#""rate";q=20;w=1"#);
    assert_eq!(told(10, 1_500), r#""rate";q=13;w=2"#);
    assert_eq!(told(10, 3_600_000), r#""rate";q=10;w=3600"#);
    assert_eq!(told(10, 0), r#""rate";q=10000;w=1"#);
}

#[test]
fn names_are_strings_of_structured_fields() {
    let told =
        |name: &str| text(ratelimit(&Standing { limit: &named(name), remaining: 1, reset_ms: 0 }));
    assert_eq!(told(r#"a"b\c"#), r#""a\"b\\c";r=1;t=0"#);
    assert_eq!(told("größe\r\n"), r#""gr%C3%B6%C3%9Fe%0D%0A";r=1;t=0"#);
    assert_eq!(told(""), r#""";r=1;t=0"#);
}

#[test]
fn retry_after_is_at_least_a_second() {
    let limit = named("n");
    let told = |reset_ms| retry_after(&Standing { limit: &limit, remaining: 0, reset_ms });
    assert_eq!(told(0).as_deref(), Some("1"));
    assert_eq!(told(1_001).as_deref(), Some("2"));
    assert_eq!(told(u64::MAX), None);
}
