use serde::Serialize;

use super::finding::Finding;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// It could not or need not be looked at.
    Skipped,
    Warning,
    Error,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub check: &'static str,
    pub status: Status,
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// For `clawpool explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of all.
    pub status: Status,
    pub errors: usize,
    pub warnings: usize,
    pub findings: Vec<Line>,
    /// Some check had to be left before it was done, and what it waits for may still keep a thread.
    #[serde(skip)]
    pub gave_up: bool,
}

impl Report {
    pub(super) fn new(looks: Vec<(&'static str, Vec<Finding>, bool)>) -> Self {
        let gave_up = looks.iter().any(|(_, _, gave_up)| *gave_up);
        let lines = looks.into_iter().flat_map(|(check, findings, _)| {
            findings.into_iter().map(move |Finding { status, text, fix, code }| Line {
                check,
                status,
                text,
                fix,
                code,
            })
        });
        let findings: Vec<Line> = lines.collect();
        let count = |status| findings.iter().filter(|line| line.status == status).count();
        let (errors, warnings) = (count(Status::Error), count(Status::Warning));
        let status = match (errors, warnings) {
            (0, 0) => Status::Ok,
            (0, _) => Status::Warning,
            _ => Status::Error,
        };
        Self { status, errors, warnings, findings, gave_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_the_reports() {
        let (ok, skipped) = (Finding::ok("a"), Finding::skipped("b"));
        let (warning, error) = (Finding::warning("c", "d"), Finding::error("e", "f").with_code("CP-1201"));
        for (findings, status, counts) in [
            (vec![ok.clone(), skipped], Status::Ok, (0, 0)),
            (vec![ok, warning.clone()], Status::Warning, (0, 1)),
            (vec![warning, error], Status::Error, (1, 1)),
        ] {
            let report = Report::new(vec![("x", findings, false)]);
            assert_eq!((report.status, (report.errors, report.warnings)), (status, counts));
        }
    }
}
