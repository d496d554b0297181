//! What is said when something does not work, in kubectl's words, with a hint where there is one.

use std::fmt;

use serde_json::Value;

/// The server's refusal of a request.
#[derive(Clone, Debug)]
pub(crate) struct StatusError {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Kind or resource, and name, that it is about; empty where not said.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// `field: message` for each cause.
    pub(crate) causes: Vec<String>,
}

impl StatusError {
    /// Reads a `Status`; whatever else came is the message.
    pub(crate) fn new(code: u16, body: &[u8]) -> Self {
        let status: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |pointer: &str| {
            status.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let mut message = text("/message");
        if message.is_empty() {
            String::from_utf8_lossy(body).trim().clone_into(&mut message);
        }
        if message.is_empty() {
            message = format!("the server answered with status {code} and no explanation");
        }
        let causes = status.pointer("/details/causes").and_then(Value::as_array);
        let mut texts: Vec<String> = Vec::new();
        for cause in causes.into_iter().flatten() {
            let part = |name: &str| cause.get(name).and_then(Value::as_str).unwrap_or_default();
            let text = match (part("field"), part("message")) {
                ("", message) => message.to_owned(),
                (field, message) => format!("{field}: {message}"),
            };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        Self {
            code,
            reason: text("/reason"),
            message,
            kind: text("/details/kind"),
            name: text("/details/name"),
            causes: texts,
        }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Whether the path itself is unknown to the server, rather than the object.
    pub(crate) fn is_no_such_resource(&self) -> bool {
        self.code == 404 && self.name.is_empty()
    }

    /// What kubectl prints; `before` is what was being done.
    fn sentence(&self, before: &str) -> String {
        if self.reason == "Invalid" {
            return self.invalid();
        }
        if self.code == 401 {
            return "error: You must be logged in to the server (Unauthorized)".to_owned();
        }
        let message = &self.message;
        match self.reason.as_str() {
            "" => format!("Error from server: {before}{message}"),
            reason => format!("Error from server ({reason}): {before}{message}"),
        }
    }

    fn invalid(&self) -> String {
        let what = if self.kind.is_empty() && self.name.is_empty() {
            "The request is invalid".to_owned()
        } else {
            format!("The {} {:?} is invalid", self.kind, self.name)
        };
        match self.causes.as_slice() {
            [] if self.kind.is_empty() => format!("{what}: {}", self.message),
            [] => what,
            [cause] => format!("{what}: {cause}"),
            causes => format!("{what}: \n* {}", causes.join("\n* ")),
        }
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for StatusError {}

/// An error that says everything itself, with what to do about it.
#[derive(Debug)]
pub(crate) struct Hinted {
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// An error with a hint.
pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { message: message.into(), hint: hint.into() }.into()
}

impl fmt::Display for Hinted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// A fault of the command line, with where to read how it should be.
pub(crate) fn usage(error: &anyhow::Error, command: &str) -> anyhow::Error {
    anyhow::anyhow!("{error:#}\nSee 'wkctl {command} -h' for help and examples")
}

/// A program that was run elsewhere ended with a code that this one takes over.
#[derive(Debug)]
pub(crate) struct Exited {
    pub(crate) code: i32,
}

impl fmt::Display for Exited {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "command terminated with exit code {}", self.code)
    }
}

impl std::error::Error for Exited {}

/// Texts that say everything themselves, or nothing, and the exit code.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) texts: Vec<String>,
    pub(crate) code: u8,
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.texts.join("\n"))
    }
}

impl std::error::Error for Told {}

/// Several things went wrong, each for itself.
#[derive(Debug)]
pub(crate) struct Several(pub(crate) Vec<anyhow::Error>);

impl fmt::Display for Several {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} errors", self.0.len())
    }
}

impl std::error::Error for Several {}

/// Good if nothing went wrong, else all of it.
pub(crate) fn all_good(mut errors: Vec<anyhow::Error>) -> anyhow::Result<()> {
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(Several(errors).into()),
    }
}

/// The lines to print for an error.
pub(crate) fn lines(error: &anyhow::Error) -> Vec<String> {
    if let Some(Several(errors)) = error.downcast_ref() {
        // What is wrong with all of them, such as a server that is not there, is said once.
        let mut blocks: Vec<Vec<String>> = Vec::new();
        for mut block in errors.iter().map(lines) {
            // As with kubectl, only what stands alone is marked as an error.
            if block[0].starts_with("error: ") {
                block[0].drain(.."error: ".len());
            }
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
        return blocks.concat();
    }
    if let Some(told) = error.downcast_ref::<Told>() {
        return told.texts.clone();
    }
    if let Some(exited) = error.downcast_ref::<Exited>() {
        return vec![exited.to_string()];
    }
    if let Some(status) = error.downcast_ref::<StatusError>() {
        let mut before = String::new();
        for link in error.chain().take_while(|link| !link.is::<StatusError>()) {
            before += &link.to_string();
            before += ": ";
        }
        return vec![status.sentence(&before)];
    }
    let hinted = error.downcast_ref::<Hinted>();
    let text = match hinted {
        Some(hinted) if is_sentence(&hinted.message) => hinted.message.clone(),
        _ => format!("error: {error:#}"),
    };
    let hint = hinted.map(|hinted| format!("hint: {}", hinted.hint));
    std::iter::once(text).chain(hint).collect()
}

/// Whether a text stands for itself, as kubectl's few whole sentences do.
fn is_sentence(text: &str) -> bool {
    ["The connection to the server ", "Unable to connect to the server"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// The answer to a request, if there is such an object.
pub(crate) fn found<T>(result: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.downcast_ref::<StatusError>() {
            Some(status) if status.is_not_found() && !status.is_no_such_resource() => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(case: &str, code: u16, body: &Value, expected: &str) {
        let error = StatusError::new(code, body.to_string().as_bytes());
        assert_eq!(lines(&error.into()), [expected], "{case}");
    }

    #[test]
    fn refusals_read_as_kubectl_prints_them() {
        check(
            "not found",
            404,
            &json!({"reason": "NotFound", "message": "pods \"x\" not found"}),
            "Error from server (NotFound): pods \"x\" not found",
        );
        check("no reason", 500, &json!({"message": "boom"}), "Error from server: boom");
        check(
            "one cause",
            422,
            &json!({
                "reason": "Invalid", "message": "long",
                "details": {"kind": "Pod", "name": "x", "causes": [
                    {"field": "spec.containers", "message": "Required value"},
                    {"field": "spec.containers", "message": "Required value"}]}
            }),
            "The Pod \"x\" is invalid: spec.containers: Required value",
        );
        check(
            "several causes",
            422,
            &json!({
                "reason": "Invalid",
                "details": {"kind": "Pod", "name": "x", "causes": [
                    {"field": "a", "message": "1"}, {"field": "b", "message": "2"}]}
            }),
            "The Pod \"x\" is invalid: \n* a: 1\n* b: 2",
        );
        check(
            "not logged in",
            401,
            &json!({"reason": "Unauthorized", "message": "Unauthorized"}),
            "error: You must be logged in to the server (Unauthorized)",
        );
    }

    #[test]
    fn what_was_being_done_stands_before_the_message() {
        let error = StatusError::new(400, br#"{"reason": "BadRequest", "message": "no"}"#);
        let error = Err::<(), _>(error).context("error when creating \"a.yaml\"").unwrap_err();
        let expected = "Error from server (BadRequest): error when creating \"a.yaml\": no";
        assert_eq!(lines(&error), [expected]);
    }

    #[test]
    fn hints_and_several_errors_are_lines_of_their_own() {
        let several = Several(vec![hinted("a", "b"), anyhow::anyhow!("c")]);
        assert_eq!(lines(&several.into()), ["a", "hint: b", "c"]);
        let refused = || hinted("The connection to the server x was refused", "start it");
        let several = Several(vec![refused().context("a"), refused().context("b")]);
        let expected = ["The connection to the server x was refused", "hint: start it"];
        assert_eq!(lines(&several.into()), expected);
    }
}
