//! The exceptions that are by design, from `accepted.txt`.

/// The exceptions.
pub(crate) struct Accepted(Vec<Line>);

struct Line {
    package: String,
    kind: String,
    what: String,
    reason: String,
}

impl Accepted {
    /// Parses the lines `CRATE | KIND | START OF THE FINDING | REASON`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let parts: Vec<&str> = line.split('|').map(str::trim).collect();
                let [package, kind, what, reason] = parts[..] else {
                    return Err(format!("accepted.txt: four parts are needed: {line}"));
                };
                Ok(Line {
                    package: package.to_owned(),
                    kind: kind.to_owned(),
                    what: what.to_owned(),
                    reason: reason.to_owned(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the tests of a crate that are not run.
    pub(crate) fn skipped_tests(&self, package: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|line| line.package == package && line.kind == "skip")
            .map(|line| line.what.as_str())
            .collect()
    }

    /// Returns why the finding is accepted, or `None` if it is not.
    pub(crate) fn reason(&self, package: &str, kind: &str, what: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|line| {
                (line.package == package || line.package == "*")
                    && line.kind == kind
                    && what.starts_with(&line.what)
            })
            .map(|line| line.reason.as_str())
    }
}
