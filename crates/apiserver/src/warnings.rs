//! What the client of a request is warned of while it is handled.
//!
//! Warnings come from deep inside: an admission plugin has one and refuses nothing. They are collected
//! beside the request, as Kubernetes keeps them in its context, and become headers of whatever the
//! answer is.

use std::future::Future;

use parking_lot::Mutex;

tokio::task_local! {
    static COLLECTED: Mutex<Vec<String>>;
}

/// Handles a request; gives what it came to and the warnings that were added meanwhile.
pub(crate) async fn collected<F: Future>(request: F) -> (F::Output, Vec<String>) {
    COLLECTED
        .scope(Mutex::default(), async {
            let output = request.await;
            let warnings = COLLECTED.with(|collected| std::mem::take(&mut *collected.lock()));
            (output, warnings)
        })
        .await
}

/// Adds a warning to the answer of the request being handled, once; outside of one nobody is warned.
pub(crate) fn add(warning: String) {
    let _nobody = COLLECTED.try_with(|collected| {
        let mut collected = collected.lock();
        if !collected.contains(&warning) {
            collected.push(warning);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_warning_belongs_to_the_request_that_caused_it_and_is_told_once() {
        add("outside".to_owned());
        let (answer, warnings) = collected(async {
            add("a".to_owned());
            add("b".to_owned());
            add("a".to_owned());
            7
        })
        .await;
        assert_eq!((answer, warnings), (7, vec!["a".to_owned(), "b".to_owned()]));
    }
}
