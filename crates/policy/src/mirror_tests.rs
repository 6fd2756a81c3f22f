use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::mirror_wire::{Any, DeltaDiscoveryResponse, Resource};

/// Each value with the number of times that it was written.
type SharedData = BTreeMap<String, (Vec<u8>, usize)>;

/// Carries out the writes, and returns the messages that were sent.
fn perform(shared: &mut SharedData, actions: Vec<Action>) -> Vec<DeltaDiscoveryRequest> {
    let mut sent = Vec::new();
    for action in actions {
        match action {
            Action::Write(key, value) => {
                let written = shared.get(&key).map_or(0, |(_, written)| *written);
                shared.insert(key, (value, written + 1));
            }
            Action::Send(message) => {
                sent.push(DeltaDiscoveryRequest::decode(&*message).expect("a request"))
            }
            Action::Reconnect => panic!("the stream was given up"),
        }
    }
    sent
}

fn serving(shared: &SharedData) -> Option<Serving> {
    shared.get(SERVING_KEY).and_then(|(value, _)| Serving::decode(value))
}

fn generations(shared: &SharedData) -> usize {
    shared.get(GENERATION_KEY).map_or(0, |(_, written)| *written)
}

fn read<'a>(shared: &'a SharedData, key: &str) -> Option<&'a [u8]> {
    serving(shared)?.resource(&shared.get(key)?.0)
}

fn response(type_url: &str, resources: &[(&str, &str)], removed: &[&str]) -> Vec<u8> {
    let resource = |(name, content): &(&str, &str)| Resource {
        name: (*name).to_owned(),
        version: format!("version of {content}"),
        resource: Some(Any { type_url: type_url.to_owned(), value: content.as_bytes().to_vec() }),
    };
    let response = DeltaDiscoveryResponse {
        resources: resources.iter().map(resource).collect(),
        type_url: type_url.to_owned(),
        nonce: "n".to_owned(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
    };
    response.encode_to_vec()
}

fn started(shared: &mut SharedData) -> Mirror {
    let value = |name| shared.get(name).map(|(value, _)| value.clone()).unwrap_or_default();
    let left =
        Left { serving: serving(shared), trial: value(TRIAL_KEY), refused: value(REFUSED_KEY) };
    let (mirror, actions) = Mirror::start("envoy-1".to_owned(), "cell".to_owned(), &left);
    perform(shared, actions);
    mirror
}

#[test]
fn nothing_is_served_before_the_first_sync() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    perform(&mut shared, mirror.received(&response(type_url::HOST, &[("a", "1")], &[])));
    assert_eq!(read(&shared, "h/a"), None);
    perform(&mut shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));
    assert_eq!(read(&shared, "h/a"), Some(&b"1"[..]));
}

#[test]
fn the_first_message_has_the_node_and_every_type_is_subscribed_whole() {
    let mut shared = SharedData::new();
    let mirror = started(&mut shared);
    let sent = perform(&mut shared, mirror.connected());
    assert_eq!(sent.len(), TYPES.len());
    for (place, request) in sent.iter().enumerate() {
        assert_eq!(request.resource_names_subscribe, ["*"]);
        assert_eq!(request.node.is_some(), place == 0);
    }
    assert_eq!(sent[0].node.as_ref().map(|node| node.id.as_str()), Some("envoy-1"));
}

#[test]
fn a_new_stream_says_what_is_held() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    perform(
        &mut shared,
        mirror.received(&response(type_url::HOST, &[("a", "1"), ("b", "2")], &[])),
    );
    perform(&mut shared, mirror.received(&response(type_url::HOST, &[], &["a"])));
    let sent = perform(&mut shared, mirror.connected());
    let hosts = sent
        .iter()
        .find(|request| request.type_url == type_url::HOST)
        .expect("a request for hosts");
    assert_eq!(
        hosts.initial_resource_versions,
        BTreeMap::from([("b".to_owned(), "version of 2".to_owned())])
    );
}

#[test]
fn a_removed_resource_is_gone_and_every_change_is_a_new_generation() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    perform(&mut shared, mirror.received(&response(type_url::KEY_BUCKET, &[("00ff", "1")], &[])));
    perform(&mut shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));
    let before = generations(&shared);
    assert_eq!(read(&shared, &bucket_key(0xff)), Some(&b"1"[..]));
    let sent =
        perform(&mut shared, mirror.received(&response(type_url::KEY_BUCKET, &[], &["00ff"])));
    assert_eq!(read(&shared, &bucket_key(0xff)), None);
    assert!(generations(&shared) > before);
    assert_eq!((sent[0].response_nonce.as_str(), &sent[0].error_detail), ("n", &None));
}

#[test]
fn what_cannot_be_applied_is_refused_and_changes_nothing() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    let before = shared.clone();
    let sent = perform(
        &mut shared,
        mirror.received(&response("type.googleapis.com/other", &[("a", "1")], &[])),
    );
    assert!(sent[0].error_detail.is_some());
    let empty = DeltaDiscoveryResponse {
        resources: vec![Resource { name: "a".to_owned(), ..Default::default() }],
        type_url: type_url::HOST.to_owned(),
        ..Default::default()
    };
    let sent = perform(&mut shared, mirror.received(&empty.encode_to_vec()));
    assert!(
        sent[0]
            .error_detail
            .as_ref()
            .is_some_and(|detail| detail.message.contains("a has no content"))
    );
    assert_eq!(mirror.received(b"\xff\xff"), [Action::Reconnect], "there is no nonce to refuse");
    // Only that no trial is under way.
    shared.remove(TRIAL_KEY);
    assert_eq!(shared, before);
}

#[test]
fn a_restarted_mirror_serves_the_old_state_until_the_new_one_is_whole() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    perform(
        &mut shared,
        mirror.received(&response(
            type_url::KEY_BUCKET,
            &[("0001", "kept"), ("0002", "revoked")],
            &[],
        )),
    );
    perform(&mut shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));

    // A second one that does not get far, and a third one: what the second wrote must not count
    // either.
    let mut second = started(&mut shared);
    perform(
        &mut shared,
        second.received(&response(type_url::KEY_BUCKET, &[("0003", "short-lived")], &[])),
    );
    let mut third = started(&mut shared);
    assert_eq!(read(&shared, "k/0002"), Some(&b"revoked"[..]), "served until the sync is complete");
    perform(&mut shared, third.received(&response(type_url::KEY_BUCKET, &[("0001", "kept")], &[])));
    assert_eq!(read(&shared, "k/0001"), Some(&b"kept"[..]));
    perform(&mut shared, third.received(&response(type_url::SYNC, &[("sync", "")], &[])));
    assert_eq!(read(&shared, "k/0001"), Some(&b"kept"[..]));
    assert_eq!(read(&shared, "k/0002"), None, "removed while no mirror was there to hear of it");
    assert_eq!(read(&shared, "k/0003"), None, "left by a mirror that never became whole");
}

proptest! {
    #[test]
    fn messages_of_any_kind_do_no_harm(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = started(&mut SharedData::new()).received(&message);
    }

    /// Any run of changes, lost streams and restarted mirrors ends with exactly what the server
    /// has.
    #[test]
    fn the_mirror_ends_with_the_servers_state(
        steps in prop::collection::vec((0_u8..10, 0_u8..4, 0_u8..3), 0..40),
    ) {
        let names = ["a", "b", "c", "d"];
        let contents = ["x", "y", "z"];
        let mut server: BTreeMap<&str, &str> = BTreeMap::new();
        let mut shared = SharedData::new();
        let mut mirror = started(&mut shared);
        let resync = |mirror: &mut Mirror, shared: &mut SharedData, server: &BTreeMap<&str, &str>| {
            let sent = perform(shared, mirror.connected());
            let hosts = sent.iter().find(|request| request.type_url == type_url::HOST);
            let held = &hosts.expect("hosts").initial_resource_versions;
            let changed: Vec<_> = server.iter()
                .filter(|(name, content)| {
                    held.get(**name) != Some(&format!("version of {content}"))
                })
                .map(|(name, content)| (*name, *content)).collect();
            let held = held.keys().map(String::as_str);
            let removed: Vec<_> = held.filter(|name| !server.contains_key(name)).collect();
            let message = response(type_url::HOST, &changed, &removed);
            perform(shared, mirror.received(&message));
            perform(shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));
        };
        let mut connected = false;
        for (step, name, content) in steps {
            let (name, content) = (names[usize::from(name)], contents[usize::from(content)]);
            match step {
                0..=3 => {
                    server.insert(name, content);
                    if connected {
                        let response = response(type_url::HOST, &[(name, content)], &[]);
                        perform(&mut shared, mirror.received(&response));
                    }
                }
                4..=5 => {
                    server.remove(name);
                    if connected {
                        let response = response(type_url::HOST, &[], &[name]);
                        perform(&mut shared, mirror.received(&response));
                    }
                }
                6 => connected = false,
                7..=8 => {
                    resync(&mut mirror, &mut shared, &server);
                    connected = true;
                }
                _ => {
                    mirror = started(&mut shared);
                    connected = false;
                }
            }
        }
        resync(&mut mirror, &mut shared, &server);
        for name in names {
            let expected = server.get(name).map(|content| content.as_bytes());
            prop_assert_eq!(read(&shared, &host_key(name)), expected);
        }
    }
}

#[test]
fn the_counter_of_a_group_changes_with_its_buckets_and_after_them() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    let actions = mirror.received(&response(
        type_url::KEY_BUCKET,
        &[("ab00", "1"), ("ab01", "2"), ("cd00", "3")],
        &["ef07"],
    ));
    let names: Vec<&str> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Write(name, _) => Some(name.as_str()),
            Action::Send(_) | Action::Reconnect => None,
        })
        .collect();
    assert_eq!(
        names,
        [
            "k/ab00",
            "k/ab01",
            "k/cd00",
            "k/ef07",
            "kg/ab",
            "kg/cd",
            "kg/ef",
            GENERATION_KEY,
            TRIAL_KEY
        ]
    );
    assert_eq!(key_group_key(0xab01), "kg/ab");
    let others = mirror.received(&response(type_url::HOST, &[("ab00", "1")], &[]));
    let counters = others
        .iter()
        .filter(|action| matches!(action, Action::Write(name, _) if name.starts_with("kg/")));
    assert_eq!(counters.count(), 0);
}

/// Takes a message in as the shell does, in a VM that traps on a resource of this content.
fn taken(shared: &mut SharedData, mirror: &mut Mirror, trap: &str, message: &[u8]) -> Taken {
    perform(shared, mirror.expected(message).into_iter().collect());
    let resources = DeltaDiscoveryResponse::decode(message).expect("a response").resources;
    let actions = mirror.received(message);
    let kept = |key: &str| {
        actions.iter().any(|action| {
            matches!(action, Action::Write(name, value)
            if name == key && !value.is_empty())
        })
    };
    let has = |resource: &Resource| {
        let content = resource.resource.as_ref().map(|content| content.value.as_slice());
        content == Some(trap.as_bytes()) && kept(&host_key(&resource.name))
    };
    if resources.iter().any(has) {
        return Taken::Trapped;
    }
    let sent = perform(shared, actions);
    match sent.iter().find_map(|request| request.error_detail.as_ref()) {
        Some(detail) => Taken::Refused(detail.message.clone()),
        None => Taken::Accepted,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Accepted,
    Refused(String),
    Trapped,
}

#[test]
fn a_resource_that_vms_have_trapped_on_is_not_met_again_and_holds_up_no_other() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    let trap = "traps";
    perform(&mut shared, mirror.received(&response(type_url::HOST, &[("bad", "1")], &[])));
    perform(&mut shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));
    let together = response(type_url::HOST, &[("a", "1"), ("bad", trap)], &[]);
    let [one, bad] = [("a", "1"), ("bad", trap)].map(|one| response(type_url::HOST, &[one], &[]));
    assert_eq!(taken(&mut shared, &mut mirror, trap, &together), Taken::Trapped);

    // The next one takes them in one by one.
    let mut mirror = started(&mut shared);
    let Taken::Refused(_) = taken(&mut shared, &mut mirror, trap, &together) else {
        panic!("they came together")
    };
    assert_eq!(taken(&mut shared, &mut mirror, trap, &one), Taken::Accepted);
    assert_eq!(taken(&mut shared, &mut mirror, trap, &bad), Taken::Trapped);

    // And the one after that knows which one it is, as do all that follow.
    for _ in 0..2 {
        let mut mirror = started(&mut shared);
        let Taken::Refused(_) = taken(&mut shared, &mut mirror, trap, &together) else {
            panic!("they came together")
        };
        assert_eq!(taken(&mut shared, &mut mirror, trap, &one), Taken::Accepted);
        let Taken::Refused(message) = taken(&mut shared, &mut mirror, trap, &bad) else {
            panic!("it traps")
        };
        assert!(message.contains("bad"), "{message}");
        perform(&mut shared, mirror.received(&response(type_url::SYNC, &[("sync", "")], &[])));
        assert_eq!(read(&shared, "h/a"), Some(&b"1"[..]));
        assert_eq!(read(&shared, "h/bad"), None, "not even as it was before");
    }

    // Another version of it may be good.
    let mut mirror = started(&mut shared);
    let mended = response(type_url::HOST, &[("bad", "2"), ("a", "1")], &[]);
    assert_eq!(taken(&mut shared, &mut mirror, trap, &mended), Taken::Accepted);
}

#[test]
fn one_trap_alone_refuses_nothing() {
    let mut shared = SharedData::new();
    let mut mirror = started(&mut shared);
    let message = response(type_url::HOST, &[("a", "1")], &[]);
    assert_eq!(taken(&mut shared, &mut mirror, "1", &message), Taken::Trapped);
    let mut mirror = started(&mut shared);
    assert_eq!(taken(&mut shared, &mut mirror, "-", &message), Taken::Accepted);
    let mut mirror = started(&mut shared);
    assert_eq!(taken(&mut shared, &mut mirror, "-", &message), Taken::Accepted);
}
