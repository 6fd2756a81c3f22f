use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn set(cidrs: &[&str]) -> IpSet {
    cidrs.iter().map(|text| text.parse::<Cidr>().expect("a CIDR")).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_range_holds_its_first_and_last_address_and_no_more() {
    let rules = set(&["192.0.2.64/26", "2001:db8:0:8000::/49", "203.0.113.7"]);
    for inside in
        ["192.0.2.64", "192.0.2.127", "2001:db8:0:8000::", "2001:db8:0:ffff:ffff::1", "203.0.113.7"]
    {
        assert!(rules.contains(ip(inside)), "{inside}");
    }
    for outside in
        ["192.0.2.63", "192.0.2.128", "2001:db8:0:7fff:ffff::", "2001:db8:1::", "203.0.113.6", "::"]
    {
        assert!(!rules.contains(ip(outside)), "{outside}");
    }
}

#[test]
fn the_ends_of_the_address_space_are_no_special_case() {
    let all = set(&["0.0.0.0/0", "::/0"]);
    for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert!(all.contains(ip(address)), "{address}");
    }
    let ends = set(&[
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ffff::/16",
    ]);
    assert!(ends.contains(ip("255.255.255.255")) && ends.contains(ip("ffff::")));
    assert!(!ends.contains(ip("255.255.255.254")) && !ends.contains(ip("fffe:ffff::")));
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    let v4 = set(&["192.0.2.0/24"]);
    assert!(v4.contains(ip("::ffff:192.0.2.9")));
    assert!(!v4.contains(ip("::192.0.2.9")));
    assert_eq!(set(&["::ffff:192.0.2.0/120"]), v4);
    assert_eq!(set(&["::ffff:0.0.0.0/96"]), set(&["0.0.0.0/0"]));
    assert!(!set(&["::/0"]).contains(ip("::ffff:192.0.2.9")));
}

#[test]
fn a_text_that_is_no_cidr_is_named_in_the_error() {
    for text in [
        "",
        "/8",
        "example.com/8",
        "10.0.0/8",
        "10.0.0.0.0",
        "1::2::3",
        " 10.0.0.0/8",
        "010.0.0.0/8",
    ] {
        assert_eq!(text.parse::<Cidr>(), Err(CidrError::Address { cidr: text.to_owned() }));
    }
    for text in [
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/256",
    ] {
        assert_eq!(text.parse::<Cidr>(), Err(CidrError::Length { cidr: text.to_owned(), max: 32 }));
    }
    assert_eq!(
        "::/129".parse::<Cidr>(),
        Err(CidrError::Length { cidr: "::/129".to_owned(), max: 128 })
    );
    let error = "10.0.0.1/8".parse::<Cidr>().expect_err("host bits");
    assert_eq!(
        error.to_string(),
        "`10.0.0.1/8` has bits set outside of its prefix; the network is `10.0.0.0/8`"
    );
    let error = "2001:db8::1/64".parse::<Cidr>().expect_err("host bits");
    assert_eq!(
        error.to_string(),
        "`2001:db8::1/64` has bits set outside of its prefix; the network is `2001:db8::/64`"
    );
}

#[test]
fn deny_wins_and_an_empty_allow_list_allows_all() {
    let rules = IpRules { allow: set(&["10.0.0.0/8"]), deny: set(&["10.1.0.0/16"]) };
    assert!(rules.permit(ip("10.2.0.1")));
    assert!(!rules.permit(ip("10.1.0.1")));
    assert!(!rules.permit(ip("192.0.2.1")) && !rules.permit(ip("::1")));
    let rules = IpRules { allow: IpSet::default(), deny: set(&["10.1.0.0/16"]) };
    assert!(rules.permit(ip("192.0.2.1")) && !rules.permit(ip("10.1.0.1")));
    assert!(IpRules::default().permit(ip("::1")));
}

#[test]
fn a_list_that_cannot_be_read_makes_no_rules() {
    let allow = IpSet::encode(["10.0.0.0/8".parse().expect("a CIDR")]);
    let pushed = |deny: &[u8]| crate::wire::IpRules { allow: allow.clone(), deny: deny.to_vec() };
    let rules = IpRules { allow: set(&["10.0.0.0/8"]), deny: IpSet::default() };
    assert_eq!(IpRules::decode(&pushed(&[])), Some(rules));
    assert_eq!(IpRules::decode(&pushed(&[33])), None);
}

#[test]
fn nested_and_adjacent_ranges_become_one() {
    assert_eq!(set(&["10.0.0.0/9", "10.128.0.0/9", "10.3.0.0/16"]), set(&["10.0.0.0/8"]));
    assert_eq!(set(&["::/1", "8000::/1"]), set(&["::/0"]));
}

#[test]
fn the_packed_form_is_small_and_canonical() {
    let cidrs: Vec<Cidr> = ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32"]
        .map(|text| text.parse().expect("a CIDR"))
        .into();
    let packed = IpSet::encode(cidrs.iter().copied());
    assert_eq!(packed, [0, 24, 192, 0, 2, 96, 0x20, 0x01, 0x0d, 0xb8]);
    assert_eq!(IpSet::encode(cidrs.iter().rev().chain(&cidrs).copied()), packed);
}

#[test]
fn bytes_that_are_no_list_are_refused() {
    for (bytes, why) in [
        (&[33, 1, 2, 3, 4, 5][..], "a length over 32"),
        (&[63], "a length between the families"),
        (&[193], "a length over 128"),
        (&[24, 1, 2], "cut short"),
        (&[4, 0x1f], "host bits"),
        (&[64 + 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "a mapped range"),
    ] {
        assert_eq!(IpSet::decode(bytes), None, "{why}");
    }
    assert_eq!(IpSet::decode(&[0; MAX_CIDRS]), Some(set(&["0.0.0.0/0"])));
    assert_eq!(IpSet::decode(&[0; MAX_CIDRS + 1]), None);
}

#[test]
fn a_client_address_is_read_as_envoy_writes_it() {
    for (text, address) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:0", "192.0.2.1"),
        ("192.0.2.1:65535", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("fe80::1%2", "fe80::1"),
    ] {
        assert_eq!(parse_client(text.as_bytes()), Some(ip(address)), "{text}");
    }
    for text in [
        "",
        "x",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:+1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[192.0.2.1]",
        "fe80::1%",
        " ::1",
    ] {
        assert_eq!(parse_client(text.as_bytes()), None, "{text}");
    }
}

/// A CIDR as the test made it: family, address bits (IPv4 in the low 32), and length.
type Model = (bool, u128, u8);

/// Few distinct high and low bits, so that ranges nest, touch and are hit.
fn model_cidr() -> impl Strategy<Value = Model> {
    let v4 = (0_u32..4, 0_u32..8, 0_u8..=32).prop_map(|(high, low, length)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        (true, u128::from(((high << 30) | low) & mask), length)
    });
    let v6 = (0_u128..4, 0_u128..8, 0_u8..=128).prop_map(|(high, low, length)| {
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        (false, ((high << 126) | low) & mask, length)
    });
    prop_oneof![v4, v6]
}

fn cidr_of((v4, bits, length): Model) -> Cidr {
    format!("{}/{length}", address_of(v4, bits)).parse().expect("a CIDR")
}

fn address_of(v4: bool, bits: u128) -> IpAddr {
    if v4 { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
}

/// The slow, obvious way: compare the first `length` bits of each rule, as text.
fn model_contains(rules: &[Model], address: IpAddr) -> bool {
    let (v4, text) = match address {
        IpAddr::V4(address) => (true, format!("{:032b}", address.to_bits())),
        IpAddr::V6(address) => (false, format!("{:0128b}", address.to_bits())),
    };
    rules.iter().any(|(rule_v4, bits, length)| {
        let rule = if *rule_v4 { format!("{bits:032b}") } else { format!("{bits:0128b}") };
        let length = usize::from(*length);
        *rule_v4 == v4 && rule[..length] == text[..length]
    })
}

proptest! {
    #[test]
    fn membership_is_that_of_the_obvious_model(
        rules in proptest::collection::vec(model_cidr(), 0..20),
        addresses in proptest::collection::vec((any::<bool>(), 0_u128..4, -2_i128..10), 1..20),
    ) {
        let ips: IpSet = rules.iter().copied().map(cidr_of).collect();
        let decoded = IpSet::decode(&IpSet::encode(rules.iter().copied().map(cidr_of)));
        prop_assert_eq!(decoded.as_ref(), Some(&ips));
        for (v4, high, low) in addresses {
            let bits = (high << if v4 { 30 } else { 126 }).wrapping_add_signed(low);
            let address = address_of(v4, bits);
            let expected = model_contains(&rules, address);
            prop_assert_eq!(ips.contains(address), expected, "{} in {:?}", address, rules);
        }
    }

    #[test]
    fn any_bytes_decode_to_a_list_or_to_none(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = IpSet::decode(&bytes);
        let _ = parse_client(&bytes);
    }

    #[test]
    fn the_text_of_a_cidr_is_read_back(rule in model_cidr()) {
        let cidr = cidr_of(rule);
        prop_assert_eq!(cidr.to_string().parse(), Ok(cidr));
    }
}
