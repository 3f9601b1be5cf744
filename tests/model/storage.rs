//! A storage: it answers one message at a time and looks into no payload.

use crate::rules::Rules;

pub type Version = u8;
pub type Tick = i8;
/// How often each request's update is in a payload.
pub type Payload = [u8; 4];

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Record {
    pub version: Version,
    /// The versions before this one, oldest first, and when the writer's clock
    /// says that they were replaced.
    pub trail: Vec<(Version, Tick)>,
    pub payload: Payload,
    /// The owner's generation when the request that created it began. Only the
    /// properties look at it.
    pub began: u8,
}

impl Record {
    /// Whether the version was ever this record's, as far as it remembers.
    pub fn remembers(&self, version: Version) -> bool {
        self.version == version || self.trail.iter().any(|&(former, _)| former == version)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Create {
        record: Record,
        generation: u8,
    },
    Update {
        expected: Version,
        record: Record,
    },
    /// Creates a record, then says that it replaces the one under the key `old`.
    Succeed {
        record: Record,
        generation: u8,
        old: usize,
        expected: Version,
    },
    /// The second half alone.
    Replace {
        old: usize,
        expected: Version,
    },
    /// By whoever shows the id, or of a create whose answer was lost.
    End {
        lost_create: bool,
    },
    /// Brings the generation that the owner had when it began.
    RevokeOwner {
        generation: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Done,
    /// The create that was to be ended had come.
    Created,
    Exists,
    Revoked,
    Conflict,
    Missing,
}

/// What stands under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot {
    pub record: Option<Record>,
    /// Until when an end refuses creates.
    pub mark: Option<Tick>,
    /// Only the properties look at these: whether it was created, ended, replaced by
    /// a login, ended by a revocation before it began; and whose updates (a bit
    /// each) were ever in a payload here.
    pub created: bool,
    pub ended: bool,
    pub replaced: bool,
    pub revoked_before: bool,
    pub landed: u8,
}

impl Slot {
    fn end(&mut self, mark: Option<Tick>) {
        self.record = None;
        self.ended = true;
        self.mark = self.mark.max(mark);
    }

    fn revoke(&mut self, generation: u8, mark: Option<Tick>) {
        if let Some(record) = &self.record {
            self.revoked_before |= record.began > generation;
            self.end(mark);
        }
    }

    /// What a login replaced stands there as long as a mark, and refuses the same.
    fn replace(&mut self, expected: Version, mark: Option<Tick>) -> Answer {
        if self.record.as_ref().is_some_and(|record| record.version != expected) {
            return Answer::Conflict;
        }
        self.replaced |= self.record.is_some();
        self.end(mark);
        Answer::Done
    }

    fn put(&mut self, record: &Record) -> Answer {
        for (update, &count) in record.payload.iter().enumerate() {
            self.landed |= u8::from(count > 0) << update;
        }
        self.record = Some(record.clone());
        Answer::Done
    }
}

/// How long a mark refuses creates.
pub const MARK: Tick = 1;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Storage {
    pub slots: Vec<Slot>,
    /// Of the one owner that all records have.
    pub generation: u8,
}

/// The clocks at an arrival: the storage's, and that of the node which sent the message.
#[derive(Clone, Copy)]
pub struct Clocks {
    pub here: Tick,
    pub sender: Tick,
}

impl Storage {
    pub fn answer(
        &mut self,
        rules: &Rules,
        key: usize,
        operation: &Operation,
        sent: Tick,
        clocks: Clocks,
    ) -> Answer {
        let now = if rules.mark_by_one_clock { clocks.here } else { clocks.sender };
        let mark = rules.end_leaves_mark.then_some(now + MARK);
        let slot = &mut self.slots[key];
        match operation {
            Operation::Create { .. } | Operation::Succeed { .. }
                if rules.late_create_is_refused && now > sent + MARK =>
            {
                Answer::Revoked
            }
            Operation::Create { record, generation } => {
                self.create(rules, key, record, *generation, now)
            }
            Operation::Succeed { record, generation, old, expected } => {
                let created = self.create(rules, key, record, *generation, now);
                if created != Answer::Done && rules.created_before_replaced {
                    return created;
                }
                let replaced = self.slots[*old].replace(*expected, mark);
                if created == Answer::Done { replaced } else { created }
            }
            Operation::Replace { old, expected } => self.slots[*old].replace(*expected, mark),
            Operation::Update { expected, record } => match &slot.record {
                None if rules.update_never_inserts => Answer::Missing,
                Some(own) if own.version == record.version && rules.resent_update_is_known => {
                    Answer::Done
                }
                Some(stored) if stored.version != *expected && rules.compare_and_swap => {
                    Answer::Conflict
                }
                _ => slot.put(record),
            },
            Operation::End { lost_create: true }
                if rules.lost_create_is_asked && slot.record.is_some() =>
            {
                Answer::Created
            }
            Operation::End { lost_create } => {
                let marked = slot.record.is_some() || *lost_create && rules.mark_without_record;
                slot.end(mark.filter(|_| marked));
                Answer::Done
            }
            Operation::RevokeOwner { generation } => {
                if rules.revocation_names_generation && *generation != self.generation {
                    return Answer::Done;
                }
                self.generation += 1;
                for slot in &mut self.slots {
                    slot.revoke(*generation, mark);
                }
                Answer::Done
            }
        }
    }

    fn create(
        &mut self,
        rules: &Rules,
        key: usize,
        record: &Record,
        generation: u8,
        now: Tick,
    ) -> Answer {
        let outdated = rules.generation_compared && generation != self.generation;
        let slot = &mut self.slots[key];
        match &slot.record {
            _ if outdated => Answer::Revoked,
            Some(own) if own.version == record.version && rules.resent_create_is_known => {
                Answer::Done
            }
            Some(_) => Answer::Exists,
            None if slot.mark.is_some_and(|until| now <= until) => Answer::Revoked,
            None => {
                slot.created = true;
                slot.put(record)
            }
        }
    }
}
