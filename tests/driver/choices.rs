//! Choices where the contract leaves an outcome open.

/// The choices that one run of the model makes, in order.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    made: Vec<(usize, usize)>,
    given: usize,
    next: usize,
}

impl Choices {
    /// One of so many.
    pub fn choose(&mut self, of: usize) -> usize {
        if of < 2 {
            return 0;
        }
        if self.next == self.given {
            self.made.truncate(self.given);
            self.made.push((0, of));
            self.given += 1;
        }
        self.next += 1;
        self.made[self.next - 1].0
    }

    /// The next choices to try; none after the last.
    pub fn advance(mut self) -> Option<Self> {
        self.made.truncate(self.next);
        while let Some((chosen, of)) = self.made.pop() {
            if chosen + 1 < of {
                self.made.push((chosen + 1, of));
                let given = self.made.len();
                return Some(Self { made: self.made, given, next: 0 });
            }
        }
        None
    }
}
