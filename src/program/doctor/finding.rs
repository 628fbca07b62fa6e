use std::fmt::Display;

use super::Status;

/// What one check says: how it is, in words, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: Status,
    pub(super) text: String,
    pub(super) fix: Option<String>,
    /// For `clawpool explain`.
    pub(super) code: Option<&'static str>,
}

impl Finding {
    pub(super) fn ok(text: impl Display) -> Self {
        Self { status: Status::Ok, text: text.to_string(), fix: None, code: None }
    }

    /// It could not or need not be looked at.
    pub(super) fn skipped(reason: impl Display) -> Self {
        Self { status: Status::Skipped, ..Self::ok(reason) }
    }

    /// All works, and may not for long, or not as was meant.
    pub(super) fn warning(text: impl Display, fix: impl Display) -> Self {
        Self { status: Status::Warning, fix: Some(fix.to_string()), ..Self::ok(text) }
    }

    /// Something does not work.
    pub(super) fn error(text: impl Display, fix: impl Display) -> Self {
        Self { status: Status::Error, ..Self::warning(text, fix) }
    }

    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// From a text that names the fix itself, after a semicolon or a colon.
    pub(super) fn error_with_its_fix(text: &str) -> Self {
        let (text, fix) = apart(text);
        Self::error(text, fix)
    }

    pub(super) fn warning_with_its_fix(text: &str) -> Self {
        let (text, fix) = apart(text);
        Self::warning(text, fix)
    }
}

/// The last part of the text, when it has parts, is what to do.
fn apart(text: &str) -> (&str, &str) {
    let parts = ["; ", ". ", ": "].into_iter().find_map(|mark| text.rsplit_once(mark));
    parts.unwrap_or((text, "see the server's log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_from_its_fix() {
        for (text, what, fix) in [
            ("it is old; use 6.2 or later", "it is old", "use 6.2 or later"),
            (
                "Redis writes no file: tasks are lost. Set `a` in b.conf",
                "Redis writes no file: tasks are lost",
                "Set `a` in b.conf",
            ),
            (
                "it is a replica: let redis.url name the primary",
                "it is a replica",
                "let redis.url name the primary",
            ),
            ("it broke", "it broke", "see the server's log"),
        ] {
            let finding = Finding::error_with_its_fix(text);
            assert_eq!((finding.text.as_str(), finding.fix.as_deref()), (what, Some(fix)));
        }
    }
}
