//! Tables and properties of label selectors.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check(text: &str, labels: &Value, selected: bool) {
    let selector = LabelSelector::parse(text).unwrap();
    assert_eq!(selector.matches(labels), selected, "{text} on {labels}");
    let again = LabelSelector::parse(&selector.to_string()).unwrap();
    assert_eq!(again, selector, "{text} survives writing");
}

#[test]
fn selects_by_labels() {
    let labels = json!({"app": "web", "tier": "", "n": "7"});
    check("", &labels, true);
    check("app=web", &labels, true);
    check(" app == web , tier = ", &labels, true);
    check("app!=web", &labels, false);
    check("other!=web", &labels, true);
    check("app in (db,web)", &labels, true);
    check("app notin (db, web)", &labels, false);
    check("other notin (a)", &labels, true);
    check("tier in (,)", &labels, true);
    check("app,!other", &labels, true);
    check("!app", &labels, false);
    check("n>6,n<8", &labels, true);
    check("app>6", &labels, false);
    check("in=x", &labels, false);
    check("app in (in,web)", &labels, true);
    check("app in ()", &labels, false);
    check("gone notin ()", &labels, true);
}

#[test]
fn refuses_as_kubernetes_does() {
    let fault = |text: &str| LabelSelector::parse(text).unwrap_err().to_string();
    assert_eq!(fault("a=b c"), "found 'c', expected: ',' or 'end of string'");
    assert_eq!(fault("a,"), "found '', expected: identifier after ','");
    assert_eq!(fault("=a"), "found '=', expected: !, identifier, or 'end of string'");
    assert_eq!(
        fault("a x"),
        "unable to parse requirement: found 'x', expected: in, notin, =, ==, !=, gt, lt"
    );
    assert_eq!(fault("a in b"), "unable to parse requirement: found 'b' expected: '('");
    assert!(fault("-a=b").starts_with(
        "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of"
    ));
    assert!(fault("a=-").contains("values[0][a]: Invalid value: \"-\": a valid label must be"));
    let open = "unable to parse requirement: found '', expected: ',', ')' or identifier";
    assert_eq!(fault("a in ("), open);
    assert_eq!(fault("a in (b"), "unable to parse requirement: found '', expected: ',' or ')'");
    assert_eq!(
        fault("a in (b,"),
        "unable to parse requirement: found '', expected: ',', or identifier"
    );
}

#[test]
fn the_form_of_objects_is_read() {
    let selector = LabelSelector::from_json(&json!({
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["db"]},
            {"key": "gone", "operator": "DoesNotExist"},
        ],
    }))
    .unwrap();
    assert_eq!(selector.to_string(), "app in (web),!gone,tier notin (db)");
    assert!(selector.matches(&json!({"app": "web"})));
    assert!(!selector.matches(&json!({"app": "web", "gone": ""})));
    assert!(LabelSelector::from_json(&json!({})).unwrap().is_everything());
    assert!(!LabelSelector::from_json(&Value::Null).unwrap().matches(&json!({})));
    let wrong = json!({"matchExpressions": [{"key": "a", "operator": "Near"}]});
    assert_eq!(
        LabelSelector::from_json(&wrong).unwrap_err().to_string(),
        "\"Near\" is not a valid label selector operator"
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c!=()<>, \\-]{0,24}|.*") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            let again = LabelSelector::parse(&selector.to_string()).unwrap();
            prop_assert_eq!(again, selector);
        }
    }
}
