//! What damage did to a connection.

use squall_model::{Damage, Hurt, Stamp};

/// Each damage that did anything, once.
#[derive(Debug, Default)]
pub(crate) struct Hurts(Vec<Hurt>);

impl Hurts {
    /// It did something now. `now` never goes back.
    pub(crate) fn note(&mut self, by: Damage, now: Stamp) {
        match self.0.iter_mut().find(|hurt| hurt.by == by) {
            Some(hurt) => hurt.last = now,
            None => self.0.push(Hurt { by, first: now, last: now }),
        }
    }

    pub(crate) fn all(&self) -> Vec<Hurt> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_moment_and_the_last_are_kept() {
        let mut hurts = Hurts::default();
        hurts.note(Damage::Cut, Stamp(1));
        hurts.note(Damage::SwallowAnswers, Stamp(2));
        hurts.note(Damage::Cut, Stamp(3));
        let hurt = |by, first, last| Hurt { by, first: Stamp(first), last: Stamp(last) };
        assert_eq!(hurts.all(), [hurt(Damage::Cut, 1, 3), hurt(Damage::SwallowAnswers, 2, 2)]);
    }
}
