//! The in-memory store keeps the promises of every store.

use std::sync::Arc;

use proptest::prelude::*;
use wk_store::conformance::model::{self, Operation};
use wk_store::{MemoryStore, Store};

fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemoryStore::new()), ())
}

wk_store::conformance_suite!(fresh);

proptest! {
    #[test]
    fn any_history_equals_that_of_an_ordered_map(
        codes in proptest::collection::vec(any::<u32>(), 0..120),
    ) {
        let operations: Vec<Operation> = codes.into_iter().map(Operation::from_code).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(model::check(fresh().0, &operations));
    }
}
