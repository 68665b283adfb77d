//! The twelve ways in which mutual TLS must refuse a peer, each with a good one beside it.

use super::authority::{Authority, Certified, Meeting, dns, meet, side, uri};
use crate::loopback::PATIENCE;
use ipc_net::{ErrorKind, tls};
use ipc_testkit::watchdog;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SerialNumber, date_time_ymd};

/// The one who refuses says so, and neither has got a byte of the other.
#[track_caller]
fn assert_refused(meeting: &Meeting, by: &str, reason: &str) {
    let refusing = match by {
        "server" => &meeting.server,
        _ => &meeting.client,
    };
    let refusal = refusing.as_ref().expect_err("it must refuse");
    assert_eq!(refusal.kind(), ErrorKind::Denied, "{refusal}");
    assert!(refusal.to_string().contains(reason), "{refusal}");
    assert!(meeting.server.is_err(), "the server got the question");
    let told = meeting
        .client
        .as_ref()
        .expect_err("the client got an answer");
    assert!(
        matches!(told.kind(), ErrorKind::Denied | ErrorKind::Closed),
        "{told}"
    );
    assert!(by != "server" || meeting.client_seen.is_none());
}

#[track_caller]
fn assert_passes(meeting: &Meeting) {
    assert_eq!(meeting.server.as_deref().ok(), Some(&b"question"[..]));
    assert_eq!(meeting.client.as_deref().ok(), Some(&b"answer"[..]));
}

/// Both sides refuse a peer whose certificate `change` has spoilt.
#[track_caller]
fn assert_both_refuse(change: impl Fn(&mut CertificateParams), reason: &str) {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let good = side(&root.issue(|_| ()), &root);
    let bad = side(&root.issue(change), &root);
    assert_passes(&meet(&good, &good, "server.test"));
    assert_refused(&meet(&good, &bad, "server.test"), "server", reason);
    assert_refused(&meet(&bad, &good, "server.test"), "client", reason);
}

#[test]
fn n01_an_expired_certificate_is_refused() {
    assert_both_refuse(
        |params| params.not_after = date_time_ymd(2021, 1, 1),
        "expired",
    );
}

#[test]
fn n02_a_certificate_that_is_not_valid_yet_is_refused() {
    assert_both_refuse(
        |params| params.not_before = date_time_ymd(2110, 1, 1),
        "not valid yet",
    );
}

#[test]
fn n03_a_certificate_of_another_authority_is_refused_even_of_the_same_name() {
    let _watchdog = watchdog(PATIENCE);
    for name in ["root", "another root"] {
        let (root, other) = (Authority::new("root"), Authority::new(name));
        let good = side(&root.issue(|_| ()), &root);
        let bad = side(&other.issue(|_| ()), &root);
        let reason = if name == "root" { "" } else { "UnknownIssuer" };
        assert_refused(&meet(&good, &bad, "server.test"), "server", reason);
        assert_refused(&meet(&bad, &good, "server.test"), "client", reason);
    }
}

#[test]
fn n04_a_wrong_name_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let good = side(&root.issue(|_| ()), &root);
    for name in [
        "other.test",
        "server.test.evil",
        "sub.server.test",
        "127.0.0.1",
    ] {
        assert_refused(&meet(&good, &good, name), "client", "not valid for");
    }
    let mut choosy = good.clone();
    choosy.admit(|peer| peer.spiffe_id() == Some("spiffe://test/a"));
    for id in [
        "spiffe://test/b",
        "spiffe://test/a/",
        "spiffe://TEST/a",
        "http://test/a",
    ] {
        let client = side(&root.spiffe(id), &root);
        assert_refused(&meet(&choosy, &client, "server.test"), "server", "");
    }
    // Two ids are none.
    let two = root.issue(|params| {
        params.subject_alt_names = vec![uri("spiffe://test/a"), uri("spiffe://test/b")];
    });
    assert_refused(
        &meet(&choosy, &side(&two, &root), "server.test"),
        "server",
        "",
    );
    let meeting = meet(
        &choosy,
        &side(&root.spiffe("spiffe://test/a"), &root),
        "server.test",
    );
    assert_passes(&meeting);
    let seen = meeting.client_seen.expect("it has proven it");
    assert_eq!(seen.spiffe_id(), Some("spiffe://test/a"));
    assert_eq!(seen.uris(), ["spiffe://test/a"]);
    assert!(seen.dns_names().is_empty());
    let server = meeting.server_seen.expect("it has proven it");
    assert_eq!(server.dns_names(), ["server.test"]);
    assert_ne!(seen.fingerprint(), server.fingerprint());
}

#[test]
fn n05_a_common_name_alone_is_no_name() {
    assert_both_refuse(
        |params| {
            params.subject_alt_names.clear();
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, "server.test");
        },
        "",
    );
}

#[test]
fn n06_a_certificate_for_another_purpose_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let with = |purpose: ExtendedKeyUsagePurpose| {
        side(
            &root.issue(|params| params.extended_key_usages = vec![purpose]),
            &root,
        )
    };
    let for_clients = with(ExtendedKeyUsagePurpose::ClientAuth);
    let for_servers = with(ExtendedKeyUsagePurpose::ServerAuth);
    let for_mail = with(ExtendedKeyUsagePurpose::EmailProtection);
    assert_passes(&meet(&for_servers, &for_clients, "server.test"));
    for wrong in [&for_servers, &for_mail] {
        assert_refused(&meet(&for_servers, wrong, "server.test"), "server", "");
    }
    for wrong in [&for_clients, &for_mail] {
        assert_refused(&meet(wrong, &for_clients, "server.test"), "client", "");
    }
}

#[test]
fn n07_a_revoked_certificate_is_refused_and_so_is_one_of_which_nothing_is_known() {
    let _watchdog = watchdog(PATIENCE);
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let with_serial = |serial: u64| {
        side(
            &root.issue(|params| params.serial_number = Some(SerialNumber::from(serial))),
            &root,
        )
    };
    let (good, revoked) = (with_serial(7), with_serial(8));
    let mut checking = good.clone();
    checking.revoked(root.revocations(&[8], 2120));
    assert_passes(&meet(&checking, &good, "server.test"));
    assert_passes(&meet(&good, &checking, "server.test"));
    let refused = meet(&checking, &revoked, "server.test");
    assert_refused(&refused, "server", "Revoked");
    let refused = meet(&revoked, &checking, "server.test");
    assert_refused(&refused, "client", "Revoked");
    let mut stale = good.clone();
    stale.revoked(root.revocations(&[], 2024));
    assert_refused(&meet(&stale, &good, "server.test"), "server", "");
    let mut unrelated = good.clone();
    unrelated.revoked(other.revocations(&[], 2120));
    assert_refused(&meet(&unrelated, &good, "server.test"), "server", "");
}

#[test]
fn n08_a_self_signed_certificate_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let good = side(&root.issue(|_| ()), &root);
    let key = KeyPair::generate().expect("a key");
    let alone = super::authority::good().self_signed(&key).expect("signed");
    let own = Certified {
        chain: alone.pem(),
        key: key.serialize_pem(),
    };
    let bad = side(&own, &root);
    assert_refused(&meet(&good, &bad, "server.test"), "server", "");
    assert_refused(&meet(&bad, &good, "server.test"), "client", "");
}

#[test]
fn n09_a_chain_with_a_weak_key_is_refused_even_where_its_root_is_trusted() {
    let _watchdog = watchdog(PATIENCE);
    let key = include_str!("fixtures/leaf.key");
    let weak = (
        include_str!("fixtures/weak_leaf.pem"),
        include_str!("fixtures/weak_root.pem"),
    );
    let strong = (
        include_str!("fixtures/strong_leaf.pem"),
        include_str!("fixtures/strong_root.pem"),
    );
    let both_roots = [weak.1, strong.1].concat();
    let side = |leaf: &str| {
        let mut options = tls::Options::new();
        options.certificate(leaf, key).trust(&both_roots);
        options
    };
    let (weak, strong) = (side(weak.0), side(strong.0));
    assert_passes(&meet(&strong, &strong, "server.test"));
    assert_refused(&meet(&strong, &weak, "server.test"), "server", "");
    assert_refused(&meet(&weak, &strong, "server.test"), "client", "");
}

#[test]
fn n11_a_client_without_a_certificate_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let root = Authority::new("root");
    let server = side(&root.named("server.test"), &root);
    let mut nobody = tls::Options::new();
    nobody.trust(&root.pem);
    assert_refused(&meet(&server, &nobody, "server.test"), "server", "");
    // A server that asks for none serves it, and knows nothing of it.
    let own = root.issue(|params| params.subject_alt_names = vec![dns("server.test")]);
    let mut open = tls::Options::new();
    open.certificate(&own.chain, &own.key);
    let meeting = meet(&open, &nobody, "server.test");
    assert_passes(&meeting);
    assert!(meeting.client_seen.is_none());
}

#[test]
fn what_cannot_work_is_refused_when_it_is_set_up() {
    let root = Authority::new("root");
    let own = root.named("server.test");
    let other = root.named("server.test");
    let invalid = |outcome: ipc_net::Result<()>| {
        let error = outcome.expect_err("it cannot work");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    };
    let new = tls::Options::new;
    invalid(new().server().map(drop));
    invalid(new().client().map(drop));
    invalid(new().trust("no PEM at all").client().map(drop));
    invalid(new().certificate(&own.chain, &other.key).server().map(drop));
    invalid(new().certificate(&own.chain, "nonsense").server().map(drop));
    invalid(new().certificate("nonsense", &own.key).server().map(drop));
    invalid(
        new()
            .certificate(&own.chain, &own.key)
            .admit(|_| true)
            .server()
            .map(drop),
    );
    invalid(side(&own, &root).revoked("nonsense").server().map(drop));
    let client = side(&own, &root).client().expect("a client");
    let (left, _right) = ipc_net::pair().expect("a pair");
    invalid(client.begin("not a name!", left).map(drop));
    let text = format!("{:?}", side(&own, &root));
    assert!(
        !text.contains("PRIVATE") && !text.contains("CERT"),
        "{text}"
    );
}
