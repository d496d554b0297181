//! When an account is missing.

use crate::watched::NamespaceView;

/// Whether to create the account: in a namespace that is there to stay and has none.
pub(super) fn plan(namespace: Option<&NamespaceView>, exists: bool) -> bool {
    !exists && namespace.is_some_and(|namespace| !namespace.is_terminating)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lasting_namespaces_get_an_account() {
        let active = NamespaceView::default();
        let ending = NamespaceView { is_terminating: true, ..NamespaceView::default() };
        assert!(plan(Some(&active), false));
        assert!(!plan(Some(&active), true));
        assert!(!plan(Some(&ending), false));
        assert!(!plan(None, false));
    }
}
