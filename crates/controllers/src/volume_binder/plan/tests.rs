//! What becomes of claims and volumes.

use std::cmp::Reverse;

use wk_api::names::NamespacedName;
use wk_api::{LabelSelector, Quantity};

use super::*;
use crate::volume_binder::views::ClaimRef;

fn quantity(text: &str) -> Option<Quantity> {
    Quantity::parse(text).ok()
}

/// A claim `default/data` of 2Gi, of class `fast`, that waits.
fn claim(change: impl FnOnce(&mut ClaimView)) -> ClaimView {
    let mut claim = ClaimView {
        namespace: "default".to_owned(),
        name: "data".to_owned(),
        uid: "c".to_owned(),
        class: Some("fast".to_owned()),
        modes: vec!["ReadWriteOnce".to_owned()],
        request: quantity("2Gi"),
        phase: "Pending".to_owned(),
        ..ClaimView::default()
    };
    change(&mut claim);
    claim
}

/// The claim once it is bound to the volume `v`.
fn bound(change: impl FnOnce(&mut ClaimView)) -> ClaimView {
    claim(|claim| {
        claim.volume = Some("v".to_owned());
        claim.is_bind_completed = true;
        claim.phase = "Bound".to_owned();
        claim.capacity = quantity("2Gi");
        claim.status_modes.clone_from(&claim.modes);
        change(claim);
    })
}

/// A free volume of class `fast`.
fn volume(name: &str, size: &str, change: impl FnOnce(&mut VolumeView)) -> Arc<VolumeView> {
    let mut volume = VolumeView {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        class: "fast".to_owned(),
        modes: vec!["ReadWriteOnce".to_owned()],
        capacity: quantity(size),
        reclaim: "Retain".to_owned(),
        phase: "Available".to_owned(),
        ..VolumeView::default()
    };
    change(&mut volume);
    Arc::new(volume)
}

fn of(namespace: &str, name: &str, uid: &str) -> ClaimRef {
    ClaimRef { key: NamespacedName::new(namespace, name), uid: uid.to_owned() }
}

fn class(provisioner: &str, waits: bool) -> ClassView {
    ClassView {
        name: "fast".to_owned(),
        provisioner: provisioner.to_owned(),
        waits,
        expands: true,
        ..ClassView::default()
    }
}

fn scene<'a>(claim: &'a ClaimView, candidates: &'a [Arc<VolumeView>]) -> Scene<'a> {
    let named = claim.volume.as_deref();
    Scene {
        claim,
        class: None,
        default_class: None,
        named: candidates.iter().find(|volume| Some(volume.name.as_str()) == named),
        candidates,
        waiting_pods: &[],
    }
}

/// The plan in a word, and the start of what is told.
fn shown(plan: &ClaimPlan) -> String {
    let told = |note: &Note| format!("{} {}", note.reason, note.message);
    match plan {
        ClaimPlan::Keep => "keep".to_owned(),
        ClaimPlan::Bind(volume) => format!("bind {}", volume.name),
        ClaimPlan::Wait(None) => "wait".to_owned(),
        ClaimPlan::Wait(Some(note)) => format!("wait: {}", told(note)),
        ClaimPlan::Lose(note) => format!("lose: {}", told(note)),
        ClaimPlan::Classify(class) => format!("classify {class}"),
        ClaimPlan::Provision => "provision".to_owned(),
        ClaimPlan::Await { provisioner, note } => format!("await {provisioner}: {}", told(note)),
        ClaimPlan::Grow(volume) => format!("grow {}", volume.name),
    }
}

#[track_caller]
fn check(case: &str, scene: Scene<'_>, expected: &str) {
    let found = shown(&plan_claim(scene));
    assert!(found.starts_with(expected), "{case}: {found}");
}

#[test]
fn a_claim_gets_the_volume_that_fits_best() {
    let all = [
        volume("big", "9Gi", |_| {}),
        volume("small", "1Gi", |_| {}),
        volume("v", "3Gi", |_| {}),
        volume("shared", "2Gi", |one| one.modes.push("ReadWriteMany".to_owned())),
        volume("block", "2Gi", |one| one.is_block = true),
        volume("going", "2Gi", |one| one.is_terminating = true),
        volume("new", "2Gi", |one| one.phase = "Pending".to_owned()),
        volume("other", "2Gi", |one| one.class = "slow".to_owned()),
        volume("taken", "2Gi", |one| one.claim = Some(of("default", "another", "a"))),
    ];
    check("the smallest of those with the fewest modes", scene(&claim(|_| {}), &all), "bind v");
    let many = claim(|one| one.modes = vec!["ReadWriteMany".to_owned()]);
    check("the one that allows it", scene(&many, &all), "bind shared");
    let huge = claim(|one| one.request = quantity("10Gi"));
    check("none is large enough", scene(&huge, &all), "wait: ProvisioningFailed storageclass");
    let labelled = claim(|one| {
        one.class = Some(String::new());
        one.selector = Some(LabelSelector::from_labels([("disk", "ssd")]));
    });
    let volumes = [
        volume("plain", "2Gi", |one| one.class.clear()),
        volume("ssd", "9Gi", |one| {
            one.class.clear();
            one.labels.insert("disk".to_owned(), "ssd".to_owned());
        }),
    ];
    check("the one that is selected", scene(&labelled, &volumes), "bind ssd");
    check(
        "none is selected",
        scene(&labelled, &volumes[..1]),
        "wait: FailedBinding no persistent volumes available for this claim and no storage class",
    );
    let waits = class("x", true);
    let delayed = claim(|_| {});
    let wait = Scene { class: Some(&waits), ..scene(&delayed, &all) };
    check(
        "a free one is the scheduler's to choose",
        wait,
        "wait: WaitForFirstConsumer waiting for",
    );
    let reserved = [volume("r", "9Gi", |one| one.claim = Some(of("default", "data", "c")))];
    let wait = Scene { class: Some(&waits), ..scene(&delayed, &reserved) };
    check("a reserved one is taken", wait, "bind r");
}

#[test]
fn a_claim_that_nothing_fits_is_told_what_it_waits_for() {
    let waiting = claim(|_| {});
    let plain = claim(|one| one.class = None);
    check("nothing", scene(&plain, &[]), "wait: FailedBinding");
    let late = Scene { default_class: Some("local"), ..scene(&plain, &[]) };
    check("a default class since", late, "classify local");
    let none = claim(|one| one.class = Some(String::new()));
    let late = Scene { default_class: Some("local"), ..scene(&none, &[]) };
    check("no class is wanted", late, "wait: FailedBinding");
    let own = class(LOCAL_PATH_PROVISIONER, true);
    let first = Scene { class: Some(&own), ..scene(&waiting, &[]) };
    check(
        "no pod yet",
        first,
        "wait: WaitForFirstConsumer waiting for first consumer to be created",
    );
    let pods = ["web-0".to_owned(), "web-1".to_owned()];
    let told = "wait: WaitForPodScheduled waiting for pod web-0 to be scheduled";
    check("a pod without a node", Scene { waiting_pods: &pods[..1], ..first }, told);
    let told = "wait: WaitForPodScheduled waiting for pods web-0,web-1 to be scheduled";
    check("pods without a node", Scene { waiting_pods: &pods, ..first }, told);
    let placed = claim(|one| one.selected_node = Some("n".to_owned()));
    check("a node", Scene { class: Some(&own), ..scene(&placed, &[]) }, "provision");
    let going = claim(|one| {
        one.selected_node = Some("n".to_owned());
        one.is_terminating = true;
    });
    check("it ends", Scene { class: Some(&own), ..scene(&going, &[]) }, "wait");
    let other = class("ebs.example.com", false);
    check(
        "somebody else's",
        Scene { class: Some(&other), ..scene(&waiting, &[]) },
        "await ebs.example.com: ExternalProvisioning Waiting for a volume to be created either by \
         the external provisioner 'ebs.example.com' or manually",
    );
    let manual = class("kubernetes.io/no-provisioner", false);
    let told =
        "wait: ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner";
    check("by hand only", Scene { class: Some(&manual), ..scene(&waiting, &[]) }, told);
}

#[test]
fn a_claim_can_name_its_volume() {
    let named = claim(|one| one.volume = Some("v".to_owned()));
    check("it is not there yet", scene(&named, &[]), "wait");
    let fits = volume("v", "2Gi", |_| {});
    check("it fits", scene(&named, &[fits]), "bind v");
    let ours = volume("v", "1Gi", |one| one.claim = Some(of("default", "data", "")));
    check("it is reserved for the claim", scene(&named, &[ours]), "bind v");
    let taken = volume("v", "2Gi", |one| one.claim = Some(of("default", "other", "o")));
    check("somebody has it", scene(&named, &[taken]), "wait");
    let earlier = volume("v", "2Gi", |one| one.claim = Some(of("default", "data", "older")));
    check("a claim of the same name had it", scene(&named, &[earlier]), "wait");
    let told = "wait: VolumeMismatch Cannot bind to requested volume \"v\": ";
    for (volume, why) in [
        (volume("v", "1Gi", |_| {}), "requested PV is too small"),
        (volume("v", "2Gi", |one| one.class.clear()), "storageClassName does not match"),
        (volume("v", "2Gi", |one| one.is_block = true), "incompatible volumeMode"),
        (volume("v", "2Gi", |one| one.modes.clear()), "incompatible accessMode"),
        (volume("v", "2Gi", |one| one.is_terminating = true), "the volume is marked for deletion"),
    ] {
        check(why, scene(&named, &[volume]), &format!("{told}{why}"));
    }
}

#[test]
fn a_bound_claim_is_kept_whole_or_lost() {
    let whole = volume("v", "2Gi", |one| {
        one.claim = Some(of("default", "data", "c"));
        one.phase = "Bound".to_owned();
    });
    let kept = bound(|_| {});
    check("all is well", scene(&kept, std::slice::from_ref(&whole)), "keep");
    let half = bound(|one| one.phase = "Pending".to_owned());
    check("a write is missing", scene(&half, std::slice::from_ref(&whole)), "bind v");
    let torn = volume("v", "2Gi", |_| {});
    check("the volume forgot", scene(&kept, &[torn]), "bind v");
    check("the volume is gone", scene(&kept, &[]), "lose: ClaimLost Bound claim has lost its");
    let nameless = bound(|one| one.volume = None);
    check("the name is gone", scene(&nameless, &[]), "lose: ClaimLost Bound claim has lost ref");
    let stolen = volume("v", "2Gi", |one| one.claim = Some(of("default", "other", "o")));
    check("somebody has it", scene(&kept, &[stolen]), "lose: ClaimMisbound");
    let larger = bound(|one| one.request = quantity("4Gi"));
    let (grows, fixed) = (class("x", false), ClassView { expands: false, ..class("x", false) });
    let all = std::slice::from_ref(&whole);
    check("it wants more", Scene { class: Some(&grows), ..scene(&larger, all) }, "grow v");
    check("and cannot have it", Scene { class: Some(&fixed), ..scene(&larger, all) }, "keep");
}

#[test]
fn binding_takes_no_more_writes_than_are_missing() {
    let free = volume("v", "2Gi", |_| {});
    let all = Binding::of(&claim(|_| {}), &free);
    assert!(all.volume_names_claim && all.is_ours_on_volume && all.claim_names_volume);
    let named = claim(|one| one.volume = Some("v".to_owned()));
    assert!(!Binding::of(&named, &free).is_ours_on_claim, "the user said it");
    let reserved = volume("v", "2Gi", |one| one.claim = Some(of("default", "data", "")));
    let half = Binding::of(&claim(|_| {}), &reserved);
    assert!(half.volume_names_claim && !half.is_ours_on_volume && half.is_ours_on_claim);
    let done = volume("v", "2Gi", |one| {
        one.claim = Some(of("default", "data", "c"));
        one.phase = "Bound".to_owned();
    });
    assert!(Binding::of(&bound(|_| {}), &done).is_done());
}

#[track_caller]
fn check_volume(case: &str, volume: &VolumeView, claim: Option<&ClaimView>, expected: &VolumePlan) {
    let found = plan_volume(volume, claim, true);
    let reason = |plan: &VolumePlan| match plan {
        VolumePlan::Phase(phase, note) => {
            (Some(*phase), note.as_ref().map(|note| note.reason), VolumePlan::Keep)
        }
        other => (None, None, other.clone()),
    };
    assert_eq!(reason(&found), reason(expected), "{case}");
}

#[test]
fn a_volume_follows_its_claim() {
    let phase = |phase| VolumePlan::Phase(phase, None);
    let fresh = volume("v", "1Gi", |one| one.phase = "Pending".to_owned());
    check_volume("new", &fresh, None, &phase("Available"));
    check_volume("free", &volume("v", "1Gi", |_| {}), None, &VolumePlan::Keep);
    let reserved = volume("v", "1Gi", |one| one.claim = Some(of("default", "data", "")));
    check_volume("reserved by name", &reserved, None, &VolumePlan::Keep);
    let ask = VolumePlan::Ask(None);
    check_volume("and wanted", &reserved, Some(&claim(|_| {})), &ask);
    let taken = |change: &dyn Fn(&mut VolumeView)| {
        volume("v", "1Gi", |one| {
            one.claim = Some(of("default", "data", "c"));
            one.phase = "Bound".to_owned();
            change(one);
        })
    };
    check_volume("bound", &taken(&|_| {}), Some(&bound(|_| {})), &VolumePlan::Keep);
    let late = taken(&|one| one.phase = "Available".to_owned());
    check_volume("bound and not said", &late, Some(&bound(|_| {})), &phase("Bound"));
    check_volume("half bound", &taken(&|_| {}), Some(&claim(|_| {})), &ask);
    check_volume("the claim is gone", &taken(&|_| {}), None, &VolumePlan::Release);
    let newer = bound(|one| one.uid = "newer".to_owned());
    check_volume("the claim is another", &taken(&|_| {}), Some(&newer), &VolumePlan::Release);
    let elsewhere = bound(|one| one.volume = Some("w".to_owned()));
    let unbind = |whole| VolumePlan::Unbind { whole };
    check_volume("the claim has another", &taken(&|_| {}), Some(&elsewhere), &unbind(false));
    let ours = taken(&|one| one.is_bound_by_controller = true);
    check_volume("by our doing", &ours, Some(&elsewhere), &unbind(true));
}

#[test]
fn what_a_claim_leaves_is_kept_deleted_or_failed() {
    let released = |reclaim: &str, provisioner: Option<&str>| {
        volume("v", "1Gi", |one| {
            one.claim = Some(of("default", "data", "c"));
            one.phase = "Released".to_owned();
            one.reclaim = reclaim.to_owned();
            one.provisioner = provisioner.map(str::to_owned);
        })
    };
    let own = Some(LOCAL_PATH_PROVISIONER);
    check_volume("retained", &released("Retain", own), None, &VolumePlan::Keep);
    check_volume("deleted", &released("Delete", own), None, &VolumePlan::Delete);
    check_volume("others' work", &released("Delete", Some("x")), None, &VolumePlan::Keep);
    let failed = |reason| VolumePlan::Phase("Failed", Some(Note::warning(reason, "")));
    let by_hand = released("Delete", None);
    check_volume("made by hand", &by_hand, None, &failed("VolumeFailedDelete"));
    let VolumePlan::Phase(_, Some(note)) = plan_volume(&by_hand, None, true) else { panic!() };
    let told =
        VolumeView { phase: "Failed".to_owned(), message: note.message, ..(*by_hand).clone() };
    check_volume("and told", &told, None, &VolumePlan::Keep);
    let recycled = released("Recycle", None);
    check_volume("recycled", &recycled, None, &failed("VolumeFailedRecycle"));
    let going = VolumeView {
        is_terminating: true,
        waits_beside: Some(Vec::new()),
        ..(*released("Delete", own)).clone()
    };
    assert_eq!(plan_volume(&going, None, true), VolumePlan::Keep, "its node gives it back");
    assert_eq!(plan_volume(&going, None, false), VolumePlan::LetGo, "there is no node");
}

#[test]
fn the_newest_default_class_counts() {
    let ranked = |name: &str, created: i64| {
        let default_rank = Some((created, Reverse(name.to_owned())));
        Arc::new(ClassView { name: name.to_owned(), default_rank, ..ClassView::default() })
    };
    let plain = Arc::new(ClassView { name: "plain".to_owned(), ..ClassView::default() });
    assert_eq!(default_class(std::slice::from_ref(&plain)), None);
    assert_eq!(default_class(&[ranked("a", 1), plain, ranked("b", 2)]), Some("b"));
    assert_eq!(default_class(&[ranked("b", 1), ranked("a", 1)]), Some("a"));
}

#[test]
fn the_provisioner_says_what_it_cannot_do() {
    let own = class(LOCAL_PATH_PROVISIONER, true);
    let placed = |change: &dyn Fn(&mut ClaimView)| {
        claim(|one| {
            one.selected_node = Some("n".to_owned());
            change(one);
        })
    };
    assert_eq!(refusal(&placed(&|_| {}), &own), None);
    let refused = |change: &dyn Fn(&mut ClaimView), why: &str| {
        assert!(refusal(&placed(change), &own).unwrap().starts_with(why), "{why}");
    };
    refused(&|one| one.selected_node = None, "no node was chosen");
    refused(&|one| one.is_block = true, "volumeMode Block");
    refused(&|one| one.modes = vec!["ReadWriteMany".to_owned()], "access mode ReadWriteMany");
    refused(&|one| one.selector = Some(LabelSelector::nothing()), "claim.spec.selector");
    let with = ClassView { parameters: vec!["type".to_owned()], ..own.clone() };
    let why = "parameter \"type\" is not supported";
    assert_eq!(refusal(&placed(&|_| {}), &with).unwrap(), why);
}
