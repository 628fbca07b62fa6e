//! Patterns of kinds (`email.send`, `email.*`), held against one another.

use globset::Glob;

const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

fn is_plain(pattern: &str) -> bool {
    !pattern.contains(SPECIAL)
}

/// What comes before the first special character, which every kind that matches begins with.
fn fixed(pattern: &str) -> &str {
    pattern.split(SPECIAL).next().unwrap_or_default()
}

/// Whether `wide` matches every kind that `narrow` matches. False when that cannot be told.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    if wide == narrow {
        return true;
    }
    match wide.strip_suffix('*').filter(|prefix| is_plain(prefix)) {
        Some(prefix) => fixed(narrow).starts_with(prefix),
        None => is_plain(narrow) && matches(wide, narrow),
    }
}

/// Whether some kind matches both. True when that cannot be told.
pub(super) fn meet(left: &str, right: &str) -> bool {
    match (is_plain(left), is_plain(right)) {
        (true, true) => left == right,
        (true, false) => matches(right, left),
        (false, true) => matches(left, right),
        (false, false) => fixed(left).starts_with(fixed(right)) || fixed(right).starts_with(fixed(left)),
    }
}

fn matches(pattern: &str, kind: &str) -> bool {
    Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_and_meet_one_another() {
        for (wide, narrow) in [("*", "email.*"), ("email.*", "email.send"), ("email.*", "email.s*"), ("a?c", "abc")] {
            assert!(covers(wide, narrow) && !covers(narrow, wide), "{wide} {narrow}");
            assert!(meet(wide, narrow) && meet(narrow, wide), "{wide} {narrow}");
        }
        for (left, right) in
            [("email.send", "email.sent"), ("email.*", "voice.*"), ("email.*", "emails"), ("a?c", "ac")]
        {
            assert!(!meet(left, right) && !meet(right, left) && !covers(left, right), "{left} {right}");
        }
        assert!(meet("*.send", "email.*"), "nobody can tell, so it may");
    }
}
