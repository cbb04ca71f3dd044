//! Presence: small values that each peer shows all others, in named slots, for as long as it is there.

use crate::codec::Payload;
use crate::error::SendError;
use crate::map::SortedMap;
use crate::timer::{Time, Timings};
use crate::wire::{self, Frame, MAX_NAME_BYTES, MAX_PRESENCE_BYTES, MAX_SLOTS, Value};

/// This peer's own presence. Nothing that comes from outside writes to it.
///
/// A slot that changes is sent at most once per [`Timings::presence`], its newest value alone, on the lossy lane; and
/// when it has come to rest once more on the reliable one.
#[derive(Debug, Default)]
pub(crate) struct Own {
    slots: SortedMap<String, Slot>,
    counter: u64,
}

#[derive(Debug)]
struct Slot {
    newest: Versioned,
    /// The newest value was not sent yet.
    dirty: bool,
    sent: Option<Time>,
    /// When the newest value, if it stays that, is sent reliably.
    settle_at: Option<Time>,
}

/// What is to be sent of a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) slot: String,
    /// It has come to rest: everybody must get this.
    pub(crate) settled: bool,
}

/// Another peer's presence, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Theirs {
    slots: SortedMap<String, Versioned>,
}

#[derive(Debug)]
struct Versioned {
    counter: u64,
    value: Option<Payload>,
}

impl Own {
    /// Sets or clears a slot; false if that changes nothing.
    pub(crate) fn set(&mut self, slot: &str, value: Option<Payload>) -> Result<bool, SendError> {
        if slot.is_empty() || slot.len() > MAX_NAME_BYTES {
            return Err(SendError::Name { name: slot.to_owned() });
        }
        if let Some(bytes) = value.as_ref().map(|v| v.bytes.len()).filter(|bytes| *bytes > MAX_PRESENCE_BYTES) {
            return Err(SendError::TooLarge { bytes, limit: MAX_PRESENCE_BYTES });
        }
        match self.slots.get(slot) {
            Some(old) if old.newest.value == value => return Ok(false),
            None if value.is_none() => return Ok(false),
            None if self.slots.len() >= MAX_SLOTS => return Err(SendError::TooManySlots { limit: MAX_SLOTS }),
            _ => {}
        }
        self.counter += 1;
        let newest = Versioned { counter: self.counter, value };
        match self.slots.get_mut(slot) {
            Some(known) => {
                known.newest = newest;
                known.dirty = true;
            }
            None => {
                self.slots.insert(slot.to_owned(), Slot { newest, dirty: true, sent: None, settle_at: None });
            }
        }
        Ok(true)
    }

    /// What is to be sent now.
    pub(crate) fn take_due(&mut self, now: Time, timings: &Timings) -> Vec<Due> {
        let mut due = Vec::new();
        for (name, slot) in self.slots.iter_mut() {
            let changed = slot.dirty && slot.sent.is_none_or(|sent| now >= sent + timings.presence);
            let settled = !slot.dirty && slot.settle_at.is_some_and(|at| now >= at);
            if changed {
                slot.dirty = false;
                slot.sent = Some(now);
            }
            if changed || settled {
                slot.settle_at = changed.then(|| now + timings.settle);
                due.push(Due { slot: name.clone(), settled });
            }
        }
        due
    }

    /// A slot was sent reliably already.
    pub(crate) fn settled(&mut self, slot: &str) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.settle_at = None;
        }
    }

    /// When there is something to be sent.
    pub(crate) fn deadline(&self, timings: &Timings) -> Option<Time> {
        let of = |slot: &Slot| match slot.sent {
            Some(sent) if slot.dirty => Some(sent + timings.presence),
            _ => slot.settle_at,
        };
        self.slots.values().filter_map(of).min()
    }

    pub(crate) fn get(&self, slot: &str) -> Option<&Payload> {
        self.slots.get(slot)?.newest.value.as_ref()
    }

    /// The slots that have ever been set: a cleared one is told too, for the other side may know an older value.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// Every slot that has a value, to be set again in a next life.
    #[cfg(target_family = "wasm")]
    pub(crate) fn values(&self) -> Vec<(String, Payload)> {
        self.slots.iter().filter_map(|(name, slot)| Some((name.clone(), slot.newest.value.clone()?))).collect()
    }

    /// The frame that tells a slot's newest value.
    pub(crate) fn frame(&self, slot: &str) -> Option<Result<Vec<u8>, wire::WireError>> {
        let versioned = &self.slots.get(slot)?.newest;
        let value = versioned.value.as_ref().map(|v| Value { codec: v.codec, bytes: &v.bytes });
        Some(Frame::Presence { slot, counter: versioned.counter, value }.encode())
    }
}

impl Theirs {
    /// Takes a value in, if it is newer than what is known; true if the slot's value changed.
    ///
    /// The counter orders the values of one life of the peer; a later life starts with [`Theirs::clear`].
    pub(crate) fn take(&mut self, slot: &str, counter: u64, value: Option<Payload>) -> Result<bool, wire::WireError> {
        let slots = self.slots.len();
        match self.slots.get_mut(slot) {
            Some(known) if counter <= known.counter => Ok(false),
            Some(known) => {
                let changed = known.value != value;
                *known = Versioned { counter, value };
                Ok(changed)
            }
            None if slots >= MAX_SLOTS => {
                Err(wire::WireError::TooMuch { what: "number of presence slots", limit: MAX_SLOTS })
            }
            None => {
                let changed = value.is_some();
                self.slots.insert(slot.to_owned(), Versioned { counter, value });
                Ok(changed)
            }
        }
    }

    pub(crate) fn get(&self, slot: &str) -> Option<&Payload> {
        self.slots.get(slot)?.value.as_ref()
    }

    /// Forgets everything; returns the slots that had a value.
    pub(crate) fn clear(&mut self) -> Vec<String> {
        self.slots.take().into_iter().filter(|(_, v)| v.value.is_some()).map(|(slot, _)| slot).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(text: &str) -> Option<Payload> {
        Some(Payload { codec: 1, bytes: text.as_bytes().to_vec() })
    }

    #[test]
    fn an_older_value_never_replaces_a_newer_one() {
        let mut theirs = Theirs::default();
        assert!(theirs.take("name", 2, json("b")).unwrap());
        assert!(!theirs.take("name", 1, json("a")).unwrap());
        assert!(!theirs.take("name", 2, json("c")).unwrap());
        assert_eq!(theirs.get("name"), json("b").as_ref());
        assert!(theirs.take("name", 3, None).unwrap());
        assert!(!theirs.take("name", 2, json("b")).unwrap(), "a cleared slot must not come back");
    }

    #[test]
    fn setting_the_same_value_again_is_no_change() {
        let mut own = Own::default();
        assert!(own.set("a", json("1")).unwrap());
        assert!(!own.set("a", json("1")).unwrap());
        assert!(own.set("a", None).unwrap());
        assert!(!own.set("b", None).unwrap());
    }

    #[test]
    fn a_slot_is_sent_at_once_then_seldom_and_once_more_when_it_rests() {
        let timings = Timings::default();
        let at = |millis| Time::ZERO + std::time::Duration::from_millis(millis);
        let mut own = Own::default();
        let due = |settled| vec![Due { slot: "a".to_owned(), settled }];
        let mut sent = 0;
        for millis in 0..160 {
            own.set("a", json(&millis.to_string())).unwrap();
            let now = own.take_due(at(millis), &timings);
            assert!(now.is_empty() || now == due(false));
            sent += now.len();
        }
        assert_eq!(sent, 10);
        assert_eq!(own.deadline(&timings), Some(at(160)));
        assert_eq!(own.take_due(at(160), &timings), due(false));
        assert_eq!(own.deadline(&timings), Some(at(160) + timings.settle));
        assert_eq!(own.take_due(at(300), &timings), []);
        assert_eq!(own.take_due(at(410), &timings), due(true));
        assert_eq!((own.take_due(at(900), &timings), own.deadline(&timings)), (vec![], None));
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let mut own = Own::default();
        let mut theirs = Theirs::default();
        for n in 0..MAX_SLOTS as u64 {
            own.set(&n.to_string(), json("1")).unwrap();
            theirs.take(&n.to_string(), 1, json("1")).unwrap();
        }
        assert!(matches!(own.set("more", json("1")), Err(SendError::TooManySlots { .. })));
        assert!(theirs.take("more", 1, json("1")).is_err());
        assert!(matches!(own.set("", json("1")), Err(SendError::Name { .. })));
        assert!(matches!(own.set("0", json(&"x".repeat(MAX_PRESENCE_BYTES + 1))), Err(SendError::TooLarge { .. })));
    }
}
