//! What a misspelt name was meant to be.

/// The known name that `word` was most likely meant to be, if any is close.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score >= 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers() {
        let known = ["slots", "reserved", "heartbeat", "lease"];
        assert_eq!(nearest("slot", known), Some("slots"));
        assert_eq!(nearest("HEARBEAT", known), Some("heartbeat"));
        assert_eq!(nearest("xyz", known), None);
    }
}
