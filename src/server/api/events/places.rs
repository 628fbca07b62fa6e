use std::str::FromStr;

use clawpool_backends::store::{Place, StoreError, Topic};

const JOURNALS: usize = Topic::ALL.len();

/// Up to where each topic's journal was told. As the id of an event, `17.0.5-1.3.0`, it says where to go on,
/// on every dispatcher of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places([Place; JOURNALS]);

impl Places {
    pub(super) const fn of(&self, topic: Topic) -> Place {
        self.0[topic as usize]
    }

    pub(super) const fn set(&mut self, topic: Topic, place: Place) {
        self.0[topic as usize] = place;
    }

    /// Whether who goes on from here has heard all that was told before `others`.
    pub(super) fn cover(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).all(|(own, other)| own >= other)
    }

    /// The later one of each.
    pub(super) fn later(&self, others: &Self) -> Self {
        let mut later = *self;
        later.0.iter_mut().zip(others.0).for_each(|(own, other)| *own = other.max(*own));
        later
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, place) in self.0.iter().enumerate() {
            write!(f, "{}{place}", if number == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for Places {
    type Err = StoreError;

    /// A version that knew fewer topics has told nothing of the others, and one that knows more does not
    /// matter here.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let mut places = Self::default();
        for (number, part) in text.split('.').enumerate() {
            let place = part.parse().map_err(|_| StoreError::BadCursor(text.to_owned()))?;
            if let Some(own) = places.0.get_mut(number) {
                *own = place;
            }
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_have_places_of_their_own() {
        let mut places = Places::default();
        for (topic, number) in Topic::ALL.into_iter().zip(1..) {
            places.set(topic, Place(number, 0));
        }
        assert_eq!(places.to_string(), "1.2.3.4.5");
        assert_eq!(places.of(Topic::ALL[2]), Place(3, 0));
    }

    #[test]
    fn other_versions_ids_are_read_and_others_are_not() {
        let id = |text: &str| text.parse::<Places>().map(|places| places.to_string()).ok();
        assert_eq!(id("7-1.2").as_deref(), Some("7-1.2.0.0.0"));
        assert_eq!(id("1.2.3.4.5.6").as_deref(), Some("1.2.3.4.5"));
        for text in ["", "1..2", "a", "1.2.", "-1", "1,2"] {
            assert_eq!(id(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_as_it_is_written(numbers in any::<[(u64, u64); JOURNALS]>()) {
            let places = Places(numbers.map(|(first, second)| Place(first, second)));
            prop_assert_eq!(places.to_string().parse::<Places>().unwrap(), places);
        }
    }
}
