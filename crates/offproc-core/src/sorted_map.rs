//! A small map. A `BTreeMap` is compiled anew for each type that one has, and takes longest of all that this crate
//! compiles; where there are few entries, or where keys are entered in order, this does the same.

/// Entries in the order of their keys.
#[derive(Debug)]
pub(crate) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SortedMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Drops the entries of which `keep` is false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }
}

impl<K: Copy + Ord, V> SortedMap<K, V> {
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.0.iter().map(|(key, _)| *key)
    }

    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(key, _)| *key)
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.place(key).ok().map(|at| &self.0[at].1)
    }

    /// Returns the value that it replaces.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        self.place(key).ok().map(|at| self.0.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::SortedMap;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn does_what_a_btree_map_does(
            steps in proptest::collection::vec((0..3_u8, 0..20_u64, any::<u16>()), 0..100),
        ) {
            let (mut map, mut expected) = (SortedMap::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => prop_assert_eq!(map.insert(key, value), expected.insert(key, value)),
                    1 => prop_assert_eq!(map.remove(key), expected.remove(&key)),
                    _ => {
                        map.retain(|key, kept| *key != u64::from(value % 20) && kept % 3 != 0);
                        expected.retain(|key, kept| *key != u64::from(value % 20) && *kept % 3 != 0);
                    }
                }
                prop_assert_eq!(map.get(key), expected.get(&key));
                prop_assert_eq!((map.len(), map.is_empty()), (expected.len(), expected.is_empty()));
                prop_assert!(map.keys().eq(expected.keys().copied()));
                prop_assert!(map.values().eq(expected.values()));
            }
        }
    }
}
