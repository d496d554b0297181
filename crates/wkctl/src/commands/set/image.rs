//! `set image`: other images for containers.

use anyhow::{anyhow, bail};
use serde_json::Value;

use super::{CommonArgs, containers, name_of, pod_spec};
use crate::commands::select::Found;
use crate::error::all_good;
use crate::session::Session;

/// Arguments of `set image`: TYPE/NAME... CONTAINER=IMAGE...
#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    #[command(flatten)]
    common: CommonArgs,
}

pub(super) async fn run(session: &Session, mut args: ImageArgs) -> anyhow::Result<()> {
    let words = std::mem::take(&mut args.common.what.words);
    let (images, words): (Vec<String>, _) = words.into_iter().partition(|word| word.contains('='));
    args.common.what.words = words;
    if images.is_empty() {
        bail!("at least one image update is required");
    }
    let images: Vec<(&str, &str)> = images.iter().filter_map(|word| word.split_once('=')).collect();
    args.common
        .change(session, ("image updated", false), |found, object| set(found, object, &images))
        .await
}

fn set(found: &Found, object: &mut Value, images: &[(&str, &str)]) -> anyhow::Result<()> {
    let spec = pod_spec(found, object)?;
    let mut errors = Vec::new();
    for (name, image) in images {
        let mut any = *name == "*";
        for container in containers(spec) {
            if *name == "*" || name_of(container) == *name {
                container["image"] = Value::from(*image);
                any = true;
            }
        }
        if !any {
            errors.push(anyhow!("unable to find container named {name:?}"));
        }
    }
    all_good(errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::built_in;

    #[test]
    fn containers_are_found_by_name_or_star() {
        let pod = json!({"spec": {"containers": [{"name": "a", "image": "x"}]}});
        let found = Found::of(&built_in("pods").unwrap(), pod.clone());
        let changed = |images: &[(&str, &str)]| {
            let mut pod = pod.clone();
            set(&found, &mut pod, images).map(|()| pod["spec"]["containers"][0]["image"].take())
        };
        assert_eq!(changed(&[("a", "y")]).unwrap(), "y");
        assert_eq!(changed(&[("*", "z")]).unwrap(), "z");
        let error = changed(&[("b", "y")]).unwrap_err().to_string();
        assert_eq!(error, "unable to find container named \"b\"");
    }

    #[test]
    fn what_has_no_pods_is_refused() {
        let found = Found::of(&built_in("svc").unwrap(), json!({"metadata": {"name": "web"}}));
        let error = set(&found, &mut json!({}), &[("a", "b")]).unwrap_err().to_string();
        let expected =
            "services/web the object is not a pod or does not have a pod template: *v1.Service";
        assert_eq!(error, expected);
    }
}
