//! Which objects a command is about: `TYPE NAME...`, `TYPE/NAME...`, `TYPE,TYPE`, `all`.

use anyhow::bail;

use crate::kinds::Resource;
use crate::session::Session;

/// All objects of a resource, or those named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    /// Empty for all of them.
    pub(crate) names: Vec<String>,
}

/// What the words of the command line say, before anybody knows the resources.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    word: &'a str,
    names: Vec<&'a str>,
}

/// Splits words into types and names.
fn wanted(words: &[String]) -> anyhow::Result<Vec<Wanted<'_>>> {
    let Some((first, rest)) = words.split_first() else {
        bail!(
            "You must provide one or more resources by argument or filename.\n\
             Example resource specifications include:\n   '-f rsrc.yaml'\n   \
             '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
        );
    };
    if !first.contains('/') {
        if let Some(word) = rest.iter().find(|word| word.contains('/')) {
            bail!(
                "there is no need to specify a resource type as a separate argument when passing \
                 arguments in resource/name form (e.g. 'wkctl get {word}' instead of 'wkctl get \
                 {first} {word}')"
            );
        }
        let names: Vec<&str> = rest.iter().map(String::as_str).collect();
        let types = first.split(',').filter(|word| !word.is_empty());
        return Ok(types.map(|word| Wanted { word, names: names.clone() }).collect());
    }
    let mut all: Vec<Wanted<'_>> = Vec::new();
    for word in words {
        match word.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                match all.last_mut().filter(|last| last.word == kind) {
                    Some(last) => last.names.push(name),
                    None => all.push(Wanted { word: kind, names: vec![name] }),
                }
            }
            Some(_) => {
                bail!("arguments in resource/name form must have a single resource and name")
            }
            None => bail!(
                "there is no need to mix resource/name and plain arguments: \"{word}\" has no type"
            ),
        }
    }
    Ok(all)
}

/// Finds the resources of the words.
pub(crate) async fn targets(session: &Session, words: &[String]) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for Wanted { word, names } in wanted(words)? {
        if word == "all" {
            if !names.is_empty() {
                bail!("a name cannot be given with \"all\"");
            }
            let known = session.discovered().await?.iter();
            let members = known.filter(|known| known.categories.iter().any(|name| name == word));
            let members = members.cloned();
            targets.extend(members.map(|resource| Target { resource, names: Vec::new() }));
            continue;
        }
        let names = names.into_iter().map(str::to_owned).collect();
        targets.push(Target { resource: session.resource(word).await?, names });
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: Result<&str, &str>) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        match (wanted(&words), expected) {
            (Ok(wanted), Ok(expected)) => {
                let wanted: Vec<String> = wanted
                    .iter()
                    .map(|wanted| format!("{}:{}", wanted.word, wanted.names.join("+")))
                    .collect();
                assert_eq!(wanted.join(" "), expected);
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{error}");
            }
            (wanted, _) => panic!("{words:?} gives {wanted:?}"),
        }
    }

    #[test]
    fn words_are_types_and_names() {
        check("pods", Ok("pods:"));
        check("pod a b", Ok("pod:a+b"));
        check("pods,svc", Ok("pods: svc:"));
        check("pods,svc a", Ok("pods:a svc:a"));
        check("pod/a", Ok("pod:a"));
        check("pod/a pod/b svc/c", Ok("pod:a+b svc:c"));
        check("", Err("You must provide one or more resources"));
        check("pod pod/a", Err("there is no need to specify a resource type"));
        check("pod/a b", Err("\"b\" has no type"));
        check("pod/a/b", Err("single resource and name"));
        check("pod/", Err("single resource and name"));
    }
}
