use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rules(allow: &[&str], deny: &[&str]) -> AddressRules {
    let cidrs =
        |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Cidr>>();
    AddressRules::new(cidrs(allow), cidrs(deny))
}

#[test]
fn addresses_near_the_platform_are_not_public() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "100::1",
        "4000::1",
    ] {
        assert!(!is_public(ip(address)), "{address}");
        assert!(!AddressRules::default().permit(ip(address)), "{address}");
    }
}

#[test]
fn addresses_of_the_internet_are_public() {
    for address in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(ip(address)), "{address}");
        assert_eq!(AddressRules::default().check(ip(address)), Ok(()), "{address}");
    }
}

#[test]
fn a_range_that_the_operator_allows_is_good_in_every_form_of_its_addresses() {
    let rules = rules(&["10.0.0.0/8", "fd00:1::/32"], &[]);
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00:1::7", "8.8.8.8"] {
        assert!(rules.permit(ip(address)), "{address}");
    }
    for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd00:2::7", "::1", "192.168.0.1"] {
        assert!(!rules.permit(ip(address)), "{address}");
    }
}

#[test]
fn a_range_that_the_operator_excludes_is_good_in_no_form_of_its_addresses() {
    let rules = rules(&["10.0.0.0/8"], &["10.0.0.5", "203.0.114.0/24", "64:ff9b::/96"]);
    for address in ["10.0.0.5", "::ffff:10.0.0.5", "203.0.114.9", "64:ff9b::8.8.8.8"] {
        assert_eq!(
            rules.check(ip(address)),
            Err(AddressRefusal::Excluded { address: ip(address) })
        );
    }
    assert!(rules.permit(ip("10.0.0.6")));
}

#[test]
fn a_refusal_says_what_the_address_is() {
    for (address, kind) in [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fd00:ec2::254", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("100.64.0.1", "shared by carriers"),
        ("ff02::1", "multicast"),
        ("100::1", "reserved"),
    ] {
        let refusal = AddressRules::default().check(ip(address)).unwrap_err();
        assert_eq!(refusal, AddressRefusal::Special { address: ip(address), kind });
    }
}
