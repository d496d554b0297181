//! Equal values kept once: the pods of one template differ in name and little else.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// Hands out one shared value for all equal ones.
#[derive(Debug)]
pub struct Interner<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    values: HashSet<Arc<T>>,
    /// Values that nobody holds any more are looked for when there are this many.
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { values: HashSet::new(), sweep_at: 64 }) }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The shared value that equals `value`.
    pub fn intern(&self, value: T) -> Arc<T> {
        let mut inner = self.inner.lock();
        if let Some(known) = inner.values.get(&value) {
            return Arc::clone(known);
        }
        if inner.values.len() >= inner.sweep_at {
            inner.values.retain(|value| Arc::strong_count(value) > 1);
            inner.sweep_at = (inner.values.len() * 2).max(64);
        }
        let value = Arc::new(value);
        inner.values.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_unused_ones_go() {
        let interner = Interner::default();
        let kept = interner.intern(0);
        assert!(Arc::ptr_eq(&kept, &interner.intern(0)));
        for number in 1..1000 {
            drop(interner.intern(number));
        }
        assert!(interner.inner.lock().values.len() <= 64);
        assert!(Arc::ptr_eq(&kept, &interner.intern(0)));
    }
}
