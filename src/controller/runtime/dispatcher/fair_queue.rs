//! A queue that is fair between groups: first come, first served within a group, and the groups take turns. A group that brings ten
//! thousand delays another one's first by one. Pure.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Holds a `T` for each waiting `K`.
#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    /// Who waits, under which number. A place in line whose number is not the one here was given up.
    waiting: HashMap<K, (u64, T)>,
    lines: HashMap<String, VecDeque<(K, u64)>>,
    /// The groups in the order of their turns.
    turns: VecDeque<String>,
    number: u64,
}

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    pub(super) fn new() -> Self {
        Self { waiting: HashMap::new(), lines: HashMap::new(), turns: VecDeque::new(), number: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn holds(&self, key: &K) -> bool {
        self.waiting.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts it at the end of its group's line, unless it waits already: then it keeps its place.
    pub(super) fn push(&mut self, group: &str, key: K, item: T) {
        if let Some((_, waiting)) = self.waiting.get_mut(&key) {
            *waiting = item;
            return;
        }
        self.number += 1;
        self.waiting.insert(key.clone(), (self.number, item));
        if let Some(line) = self.lines.get_mut(group) {
            line.push_back((key, self.number));
        } else {
            self.lines.insert(group.to_owned(), VecDeque::from([(key, self.number)]));
            self.turns.push_back(group.to_owned());
        }
    }

    /// It waits no more.
    pub(super) fn remove(&mut self, key: &K) -> Option<T> {
        let (_, item) = self.waiting.remove(key)?;
        self.end_of_line();
        Some(item)
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<(K, T)> {
        while let Some(group) = self.turns.pop_front() {
            let next = self.lines.get_mut(&group).and_then(|line| {
                while let Some((key, number)) = line.pop_front() {
                    if self.waiting.get(&key).is_some_and(|(now, _)| *now == number) {
                        return self.waiting.remove(&key).map(|(_, item)| (key, item));
                    }
                }
                None
            });
            if self.lines.get(&group).is_some_and(VecDeque::is_empty) {
                self.lines.remove(&group);
            } else {
                self.turns.push_back(group);
            }
            if next.is_some() {
                self.end_of_line();
                return next;
            }
        }
        None
    }

    /// When nobody waits, the room that a long line took is given back.
    fn end_of_line(&mut self) {
        if self.waiting.is_empty() {
            *self = Self { number: self.number, ..Self::new() };
        }
    }
}
