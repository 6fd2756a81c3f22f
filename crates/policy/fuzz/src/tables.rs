//! Tables that the control plane pushes: key buckets, address lists, site policies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy::id::{ConsumerId, KeyId, SiteId, Uuid};
use policy::ip::{Cidr, IpSet, MAX_CIDRS, parse_client};
use policy::key::{CredentialKind, Digest, KeyRecord, RECORD_LEN, find, pack_bucket};
use policy::method::Methods;
use policy::path::{Template, canonical};
use policy::router::RouteMatch;
use policy::site::Site;
use policy::wire::{KeyBucket, SitePolicy, bucket_records};
use prost::Message as _;

/// A digest, then the bytes of a bucket. A record that is found has the digest. Records that are
/// made from the bytes and packed are all found.
pub fn bucket(data: &[u8]) {
    let mut rest = data;
    let Ok(wanted) = <[u8; 32]>::try_from(crate::take(&mut rest, 32)) else { return };
    if let Some(records) = bucket_records(rest) {
        // In a bucket of the one encoder, a search without decoding finds the same as decoding.
        if let Some(bucket) =
            KeyBucket::decode(rest).ok().filter(|bucket| bucket.encode_to_vec() == rest)
        {
            assert!(bucket.records == records);
        }
        if let Some(found) = find(records, &Digest(wanted)) {
            assert!(found.digest.0 == wanted);
            assert!(records.chunks_exact(RECORD_LEN).any(|record| record[..32] == wanted));
        }
    }
    let made: Vec<_> = data.chunks_exact(32).take(64).map(record).collect();
    let bucket = KeyBucket { records: pack_bucket(&made) }.encode_to_vec();
    let records =
        if made.is_empty() { &[][..] } else { bucket_records(&bucket).expect("a bucket") };
    for record in &made {
        assert_eq!(find(records, &record.digest).as_ref(), Some(record));
    }
    let absent = Digest(wanted.map(|byte| !byte));
    assert_eq!(find(records, &absent).is_some(), made.iter().any(|record| record.digest == absent));
}

fn record(bytes: &[u8]) -> KeyRecord {
    let mut digest = [0; 32];
    digest.copy_from_slice(bytes);
    let id = Uuid::from_u128(u128::from(bytes[0]));
    KeyRecord {
        digest: Digest(digest),
        site: SiteId(id),
        consumer: ConsumerId(id),
        key: KeyId(id),
        expires_at_ms: (bytes[1] > 127).then_some(u64::from(bytes[1])),
        plan: u16::from(bytes[2]),
        kind: [CredentialKind::ApiKey, CredentialKind::SigningKey, CredentialKind::Subject]
            [usize::from(bytes[3] % 3)],
        has_details: bytes[4] > 127,
    }
}

/// 16 bytes that are an address, then a packed list. A reader that goes by the format's description
/// agrees about the address.
pub fn ip_list(data: &[u8]) {
    let mut rest = data;
    let Ok(address) = <[u8; 16]>::try_from(crate::take(&mut rest, 16)) else { return };
    let Some(set) = IpSet::decode(rest) else { return };
    let mut ranges = Vec::new();
    while let Some((tag, after)) = rest.split_first() {
        let (v6, length) = if *tag < 64 { (false, *tag) } else { (true, *tag - 64) };
        rest = after;
        ranges.push((v6, length, crate::take(&mut rest, usize::from(length).div_ceil(8))));
    }
    assert!(ranges.len() <= MAX_CIDRS);
    assert_eq!(set.is_empty(), ranges.is_empty());
    let v4 = Ipv4Addr::from([address[0], address[1], address[2], address[3]]);
    for address in
        [IpAddr::V4(v4), IpAddr::V6(v4.to_ipv6_mapped()), IpAddr::V6(Ipv6Addr::from(address))]
    {
        let bits = bits_of(address);
        let obvious = ranges.iter().any(|(v6, length, prefix)| {
            let length = usize::from(*length);
            *v6 == (bits.len() == 128) && text(prefix)[..length] == bits[..length]
        });
        assert_eq!(set.contains(address), obvious, "{address}");
    }
}

fn bits_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => text(&address.octets()),
        IpAddr::V6(address) => text(&address.octets()),
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect()
}

/// A client's address, then lines of CIDRs: both have one text each, and packing the list changes
/// nothing.
pub fn ip_text(data: &[u8]) {
    let (client, lines) = crate::split_line(data);
    let client = parse_client(client);
    if let Some(address) = client {
        assert_eq!(address, address.to_canonical());
        assert_eq!(parse_client(address.to_string().as_bytes()), Some(address));
    }
    let lines =
        lines.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let cidrs: Vec<Cidr> = lines.filter_map(|line| line.parse().ok()).take(MAX_CIDRS).collect();
    let set: IpSet = cidrs.iter().copied().collect();
    assert_eq!(IpSet::decode(&IpSet::encode(cidrs.iter().copied())).as_ref(), Some(&set));
    for cidr in &cidrs {
        assert_eq!(cidr.to_string().parse(), Ok(*cidr));
        assert!(set.contains(cidr.first()));
    }
    if let Some(address) = client {
        let alone = address.to_string().parse::<Cidr>().expect("an address is a CIDR");
        let with: IpSet = cidrs.iter().copied().chain([alone]).collect();
        assert!(with.contains(address));
        assert_eq!(with == set, set.contains(address));
    }
}

/// The bytes of a pushed site policy: a site that is read serves the routes of its policy, and no
/// others.
pub fn site(data: &[u8]) {
    let id = SiteId(Uuid::from_u128(1));
    let Some(site) = Site::decode(id, data, 0) else { return };
    let policy = SitePolicy::decode(data).expect("it was one before");
    assert_eq!(site.id, id);
    assert_eq!(site.tenant.as_bytes()[..], policy.tenant[..]);
    let listed = |found: &[u8]| policy.routes.iter().any(|route| route.id == found);
    for route in policy.routes.iter().take(64) {
        let Ok(template) = Template::parse_whole(&route.path) else { continue };
        let Ok(path) = canonical(template.as_str().as_bytes()) else { continue };
        for name in Methods::from_bits(route.methods).names() {
            let method = Methods::named(name).expect("a name of a method");
            match site.find(method, &path) {
                // A template matches its own text, since a parameter matches its own name.
                RouteMatch::Route(found) => {
                    assert!(listed(site.route(found).expect("a route").id.as_bytes()))
                }
                other => assert!(route.id.len() != 16, "{other:?} for a route that is listed"),
            }
        }
    }
    assert!(matches!(
        site.find(Methods::NONE, b"/"),
        RouteMatch::None | RouteMatch::OtherMethods(_)
    ));
}
