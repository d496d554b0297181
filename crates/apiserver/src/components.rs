//! How the parts of the control plane are, in the old form that `kubectl get componentstatuses` shows.
//!
//! Kubernetes asks the parts that it expects on its own machine. Here the store is the one part that
//! the server knows to be there: schedulers and controllers are clients like others, and nothing is
//! said of them that is not known.

use http::StatusCode;
use serde_json::{Value, json};
use wk_api::ApiError;

use crate::encode;
use crate::error::{self, Answer};
use crate::handle::Call;
use crate::list;
use crate::object::to_stored;
use crate::options::ListOptions;
use crate::route::Verb;
use crate::warnings;

/// What the store is called: the first of possibly several.
const STORE: &str = "etcd-0";

/// Answers a request about them; the verb is one that the kind has.
pub(crate) async fn answer(call: &Call) -> Answer {
    warnings::add("v1 ComponentStatus is deprecated in v1.19+".to_owned());
    let store = store(call).await;
    if call.verb == Verb::Get {
        if call.path.name != STORE {
            return Err(ApiError::not_found(&call.resource.gr, &call.path.name));
        }
        return encode::value(&call.resource, store, call.look, StatusCode::OK);
    }
    let options = ListOptions::read(&call.query, &call.resource, &call.path.name, false)?;
    let (shelf, key) = (&call.resource.shelf, call.resource.key("", STORE));
    let object = shelf
        .read(key.as_str().into(), to_stored(&mut store.clone()), 0)
        .map_err(|damaged| ApiError::internal(error::chain(&damaged)))?;
    let selected = call.resource.selects(&options.selection, &object);
    list::of_values(call, &json!({}), selected.then_some(store))
}

async fn store(call: &Call) -> Value {
    let condition = match call.server.storage.store.progress().await {
        Ok(_) => json!({"type": "Healthy", "status": "True", "message": "ok"}),
        Err(failure) => {
            json!({"type": "Healthy", "status": "False", "message": error::chain(&failure)})
        }
    };
    json!({
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": STORE},
        "conditions": [condition],
    })
}
