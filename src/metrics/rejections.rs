//! How well a network knows what it does not know.

use super::share;

/// Pictures that were rejected, and what became of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejections {
    /// Pictures of the network's classes.
    pub members: u64,
    /// Of them, rejected.
    pub members_rejected: u64,
    /// Of them, accepted and answered rightly.
    pub accepted_correct: u64,
    /// Pictures of anything else.
    pub others: u64,
    /// Of them, rejected.
    pub others_rejected: u64,
}

impl Rejections {
    /// Adds a picture: whether it was rejected, and whether it was answered rightly, `None` for
    /// one of none of the classes.
    pub fn add(&mut self, rejected: bool, correct: Option<bool>) {
        let Some(correct) = correct else {
            self.others += 1;
            self.others_rejected += u64::from(rejected);
            return;
        };
        self.members += 1;
        self.members_rejected += u64::from(rejected);
        self.accepted_correct += u64::from(correct && !rejected);
    }

    /// The share of the members that was rejected: the lower, the better. As all shares `None` of
    /// nothing.
    pub fn share_of_members(&self) -> Option<f64> {
        share(self.members_rejected, self.members)
    }

    /// The share of the others that was rejected: the higher, the better.
    pub fn share_of_others(&self) -> Option<f64> {
        share(self.others_rejected, self.others)
    }

    /// The share of right answers among the members that were accepted.
    pub fn accuracy_of_accepted(&self) -> Option<f64> {
        share(self.accepted_correct, self.members - self.members_rejected)
    }
}
