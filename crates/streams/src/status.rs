//! How a program ended, as the error channel tells it.

use serde_json::{Value, json};

/// How a session with a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program ended with this exit code, or the session ended without fault (0).
    Exit(i32),
    /// The program could not be run or reached; the text says why.
    Failed(String),
}

impl Outcome {
    /// The `Status` object that newer protocols carry.
    pub(crate) fn to_status(&self) -> Value {
        match self {
            Self::Exit(0) => json!({"metadata": {}, "status": "Success"}),
            Self::Exit(code) => json!({
                "metadata": {},
                "status": "Failure",
                "message": self.text(),
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
            }),
            Self::Failed(message) => json!({
                "metadata": {},
                "status": "Failure",
                "message": format!("Internal error occurred: {message}"),
                "reason": "InternalError",
                "details": {"causes": [{"message": message}]},
                "code": 500,
            }),
        }
    }

    /// The words that older protocols carry; empty for success.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Exit(0) => String::new(),
            Self::Exit(code) => {
                format!("command terminated with non-zero exit code: exit status {code}")
            }
            Self::Failed(message) => message.clone(),
        }
    }

    /// Reads what an error channel carried. An empty one tells of success, as older servers do.
    pub fn from_status(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Exit(0);
        }
        let unreadable = || Self::Failed(String::from_utf8_lossy(bytes).trim().to_owned());
        let Ok(status) = serde_json::from_slice::<Value>(bytes) else { return unreadable() };
        if status["status"] == "Success" {
            return Self::Exit(0);
        }
        if status["reason"] == "NonZeroExitCode" {
            let causes = status["details"]["causes"].as_array().into_iter().flatten();
            let code = causes
                .filter(|cause| cause["reason"] == "ExitCode")
                .find_map(|cause| cause["message"].as_str()?.parse().ok());
            if let Some(code) = code {
                return Self::Exit(code);
            }
        }
        match status["message"].as_str() {
            Some(message) => Self::Failed(message.to_owned()),
            None => unreadable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_was_written() {
        for code in [0, 1, 42, 137] {
            let outcome = Outcome::Exit(code);
            let sent = outcome.to_status().to_string();
            assert_eq!(Outcome::from_status(sent.as_bytes()), outcome);
        }
        let sent = Outcome::Failed("no such program".to_owned()).to_status().to_string();
        let read = Outcome::from_status(sent.as_bytes());
        assert_eq!(read, Outcome::Failed("Internal error occurred: no such program".to_owned()));
        assert_eq!(Outcome::from_status(b""), Outcome::Exit(0));
        assert_eq!(Outcome::from_status(b"it broke\n"), Outcome::Failed("it broke".to_owned()));
    }
}
