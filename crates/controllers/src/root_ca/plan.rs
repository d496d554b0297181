//! What is missing or wrong.

use crate::watched::NamespaceView;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    /// It is there and says something else.
    Repair,
}

/// Plans the step for one namespace; `is_right` is `None` if there is no such map.
pub(super) fn plan(namespace: Option<&NamespaceView>, is_right: Option<bool>) -> Option<Step> {
    if namespace.is_none_or(|namespace| namespace.is_terminating) {
        return None;
    }
    match is_right {
        None => Some(Step::Create),
        Some(false) => Some(Step::Repair),
        Some(true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_and_what_is_wrong_is_repaired() {
        let active = NamespaceView::default();
        let ending = NamespaceView { is_terminating: true, ..NamespaceView::default() };
        assert_eq!(plan(Some(&active), None), Some(Step::Create));
        assert_eq!(plan(Some(&active), Some(false)), Some(Step::Repair));
        assert_eq!(plan(Some(&active), Some(true)), None);
        assert_eq!(plan(Some(&ending), None), None);
        assert_eq!(plan(None, Some(false)), None);
    }
}
