//! Places in listings, as text that users hand back.

use std::fmt;

use crate::store::StoreError;

/// Where a listing goes on: a number (a score, or the position of Redis's own walk) and the last member
/// returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    pub number: u64,
    pub member: Vec<u8>,
}

impl Cursor {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let parts = || {
            let (number, member) = text.split_once('-')?;
            let digits: Vec<_> = member.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
            let member = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair.get(1)?).ok());
            Some(Self { number: number.parse().ok()?, member: member.collect::<Option<_>>()? })
        };
        parts().ok_or_else(|| StoreError::BadCursor(text.to_owned()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.number)?;
        self.member.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_its_text_and_refuses_any_other() {
        for cursor in [Cursor::default(), Cursor { number: u64::MAX, member: vec![0, 15, 255] }] {
            assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
        }
        for text in ["", "x", "5", "5-0", "5-zz", "-00", "99999999999999999999-00", "5-0g", "5-é"] {
            assert!(matches!(Cursor::parse(text), Err(StoreError::BadCursor(_))), "{text:?}");
        }
    }
}
