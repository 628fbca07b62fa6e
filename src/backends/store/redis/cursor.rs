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

/// Where the listing of records goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Latest,
    /// Among what came lately: with so many bytes of a step's ids.
    Recent {
        step: u64,
        end: usize,
    },
    /// In the walk over all keys.
    Walk(Cursor),
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let Some(rest) = text.strip_prefix('r') else { return Cursor::parse(text).map(Self::Walk) };
        let parts = || {
            let (step, end) = rest.split_once('-')?;
            Some(Self::Recent { step: step.parse().ok()?, end: end.parse().ok()? })
        };
        parts().ok_or_else(|| StoreError::BadCursor(text.to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => Ok(()),
            Self::Recent { step, end } => write!(f, "r{step}-{end}"),
            Self::Walk(cursor) => cursor.fmt(f),
        }
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
    fn a_place_survives_its_text_and_refuses_any_other() {
        for place in [Place::Recent { step: 7, end: 16 }, Place::Walk(Cursor::default())] {
            assert_eq!(Place::parse(&place.to_string()).unwrap(), place);
        }
        for text in ["", "r", "r1", "r-1", "r1-", "r1-x", "r99999999999999999999-0"] {
            assert!(matches!(Place::parse(text), Err(StoreError::BadCursor(_))), "{text:?}");
        }
    }

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
