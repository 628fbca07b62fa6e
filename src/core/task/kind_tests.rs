use proptest::prelude::*;

use super::kind::{BadPattern, KindPattern};

fn pattern(text: &str) -> KindPattern {
    text.parse().unwrap()
}

/// Every kind of at most five of three letters, one of which no pattern of these tests names.
fn kinds() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for _ in 0..5 {
        longest = longest
            .iter()
            .flat_map(|kind| ["a", "b", "z"].map(|character| format!("{kind}{character}")))
            .collect();
        all.extend_from_slice(&longest);
    }
    all
}

/// The meaning by itself: a star is no character or one more.
fn means(pattern: &[u8], kind: &[u8]) -> bool {
    match (pattern, kind) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => means(rest, kind) || (!kind.is_empty() && means(pattern, &kind[1..])),
        ([character, rest @ ..], [first, kind @ ..]) => character == first && means(rest, kind),
        _ => false,
    }
}

#[test]
fn a_star_stands_for_any_letters_or_none() {
    for (text, kind) in [
        ("email.send", "email.send"),
        ("voice.*", "voice.call"),
        ("voice.*", "voice."),
        ("*", "anything"),
        ("*.send", "email.send"),
        ("a*c", "ac"),
        ("a*b*c", "a.b.b.c"),
        ("loop_*", "loop_1"),
    ] {
        assert!(pattern(text).matches(kind), "{text} {kind}");
    }
    for (text, kind) in [
        ("email.send", "email.sent"),
        ("voice.*", "voice"),
        ("voice.*", "voices.call"),
        ("ab*bc", "abc"),
        ("a*b*c", "a.c.b"),
    ] {
        assert!(!pattern(text).matches(kind), "{text} {kind}");
    }
}

#[test]
fn patterns_cover_and_meet_one_another() {
    for (wide, narrow) in
        [("*", "email.*"), ("email.*", "email.send"), ("email.*", "email.s*"), ("*.send", "a*.send")]
    {
        let wide = pattern(wide);
        let narrow = pattern(narrow);
        assert!(wide.covers(&narrow) && !narrow.covers(&wide), "{wide} {narrow}");
        assert!(wide.meets(&narrow) && narrow.meets(&wide), "{wide} {narrow}");
    }
    for (left, right) in
        [("email.send", "email.sent"), ("email.*", "voice.*"), ("email.*", "emails"), ("*.a", "*.b")]
    {
        let left = pattern(left);
        let right = pattern(right);
        assert!(!left.meets(&right) && !right.meets(&left) && !left.covers(&right), "{left} {right}");
    }
    assert!(pattern("*.send").meets(&pattern("email.*")) && !pattern("*.send").covers(&pattern("email.*")));
}

#[test]
fn what_no_kind_can_match_is_refused() {
    assert_eq!("".parse::<KindPattern>(), Err(BadPattern::Empty));
    for (text, character) in
        [("[x", '['), ("a?c", '?'), ("{a,b}", '{'), ("a b", ' '), ("é.*", 'é'), ("a\\*", '\\')]
    {
        assert_eq!(
            text.parse::<KindPattern>(),
            Err(BadPattern::Character { text: text.to_owned(), character })
        );
    }
    let read: KindPattern = serde_json::from_str("\"email.*\"").unwrap();
    assert_eq!((serde_json::to_string(&read).unwrap().as_str(), read.letters()), ("\"email.*\"", 6));
    assert!(serde_json::from_str::<KindPattern>("\"a?\"").unwrap_err().to_string().contains("contains '?'"));
}

proptest! {
    #[test]
    fn it_means_what_it_says(text in "[ab*]{1,6}", kind in "[abz]{0,8}") {
        prop_assert_eq!(pattern(&text).matches(&kind), means(text.as_bytes(), kind.as_bytes()));
    }

    /// Patterns of three signs tell each other apart by kinds of five letters.
    #[test]
    fn covering_and_meeting_are_exact(left in "[ab*]{1,3}", right in "[ab*]{1,3}") {
        let left = pattern(&left);
        let right = pattern(&right);
        let kinds = kinds();
        let of_right = || kinds.iter().filter(|kind| right.matches(kind));
        prop_assert_eq!(left.covers(&right), of_right().all(|kind| left.matches(kind)));
        prop_assert_eq!(left.meets(&right), of_right().any(|kind| left.matches(kind)));
    }
}
