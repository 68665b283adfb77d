//! Places that are used again, each use with a generation of its own, so that a stale name of a
//! place names nothing.

/// Values under names that never name a later value.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// The name of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    place: u32,
    generation: u32,
}

impl Name {
    pub(super) fn bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.place)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self {
            place: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, value: T) -> Name {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                value: None,
            });
            (self.places.len() - 1) as u32
        });
        let found = &mut self.places[place as usize];
        found.value = Some(value);
        Name {
            place,
            generation: found.generation,
        }
    }

    pub(super) fn get(&self, name: Name) -> Option<&T> {
        let place = self.places.get(name.place as usize)?;
        let value = place.value.as_ref();
        value.filter(|_| place.generation == name.generation)
    }

    pub(super) fn get_mut(&mut self, name: Name) -> Option<&mut T> {
        let place = self.places.get_mut(name.place as usize)?;
        let value = place.value.as_mut();
        value.filter(|_| place.generation == name.generation)
    }

    pub(super) fn remove(&mut self, name: Name) -> Option<T> {
        let place = self.places.get_mut(name.place as usize)?;
        if place.generation != name.generation {
            return None;
        }
        let value = place.value.take()?;
        // All ones would be the name of the bell.
        place.generation = (place.generation + 1) % (u32::MAX - 1);
        self.free.push(name.place);
        Some(value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Name, &mut T)> {
        self.places
            .iter_mut()
            .enumerate()
            .filter_map(|(at, place)| {
                let name = Name {
                    place: at as u32,
                    generation: place.generation,
                };
                Some((name, place.value.as_mut()?))
            })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, &T)> {
        self.places.iter().enumerate().filter_map(|(at, place)| {
            let name = Name {
                place: at as u32,
                generation: place.generation,
            };
            Some((name, place.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_removed_value_names_nothing() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b');
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&'b'));
        assert_eq!(Name::from_bits(second.bits()), second);
        assert_eq!(slots.iter().count(), 1);
    }
}
