//! What must not decide a claim: calls that cross a border of the phase, and calls that the machine held up.
//!
//! Whether such a call belongs, or would have ended as it did, nobody knows. So the evidence is read in several ways, each unit
//! carries what it does by each of them, and a verdict has to come out alike by all.

use squall_model::Why;

/// A way to read what is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it was seen.
    Seen,
    /// What crosses a border does not count.
    Inner,
    /// What the machine held up did what it would have done without that.
    Unheld,
    /// Both. The two kinds may cancel each other out, so that neither this nor each alone shows the whole.
    InnerUnheld,
}

impl Reading {
    pub(crate) const ALL: [Reading; 4] = [Reading::Seen, Reading::Inner, Reading::Unheld, Reading::InnerUnheld];

    /// Calls that cross a border are left out.
    pub(crate) fn is_inner(self) -> bool {
        matches!(self, Reading::Inner | Reading::InnerUnheld)
    }

    /// What the machine did to calls is taken back.
    pub(crate) fn is_unheld(self) -> bool {
        matches!(self, Reading::Unheld | Reading::InnerUnheld)
    }
}

/// Something by each reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Readings<T>([T; 4]);

impl<T: Copy + PartialEq> Readings<T> {
    pub(crate) fn of(by: impl FnMut(Reading) -> T) -> Readings<T> {
        Readings(Reading::ALL.map(by))
    }

    pub(crate) fn by(&self, reading: Reading) -> T {
        self.0[reading as usize]
    }

    pub(crate) fn all(&self) -> [T; 4] {
        self.0
    }

    /// It is the same by all.
    pub(crate) fn agree(&self) -> bool {
        self.0.iter().all(|one| *one == self.0[0])
    }
}

/// Why a verdict must not depend on some units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Doubt {
    /// Something came or went before one of them was over.
    pub(crate) crossing: bool,
    /// So many of their calls would have ended otherwise had the machine not held them up…
    pub(crate) held: u64,
    /// …the longest of these for so many nanoseconds.
    pub(crate) longest: u64,
}

impl Doubt {
    pub(crate) fn and(self, other: Doubt) -> Doubt {
        Doubt {
            crossing: self.crossing || other.crossing,
            held: self.held + other.held,
            longest: self.longest.max(other.longest),
        }
    }

    pub(crate) fn of_all(all: impl IntoIterator<Item = Doubt>) -> Doubt {
        all.into_iter().fold(Doubt::default(), Doubt::and)
    }

    /// The readings beside what was seen that can make a difference.
    pub(crate) fn readings(self) -> impl Iterator<Item = Reading> {
        let held = self.held > 0;
        let differs = move |reading: &Reading| {
            *reading != Reading::Seen && (!reading.is_inner() || self.crossing) && (!reading.is_unheld() || held)
        };
        Reading::ALL.into_iter().filter(differs)
    }

    /// Why nothing can be said where it depends on these; of both kinds the border is named.
    pub(crate) fn why(self) -> Why {
        match self.held {
            0 => Why::Border,
            _ if self.crossing => Why::Border,
            calls => Why::HeldUp { calls, longest: self.longest },
        }
    }

    /// Why nothing can be said where it comes out otherwise by this reading.
    pub(crate) fn why_by(self, reading: Reading) -> Why {
        match reading {
            Reading::Unheld => Doubt { crossing: false, ..self }.why(),
            Reading::Seen | Reading::Inner | Reading::InnerUnheld => Why::Border,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_tried_alone_and_both_together() {
        let readings = |crossing, held| Doubt { crossing, held, longest: held }.readings().collect::<Vec<_>>();
        assert_eq!(readings(false, 0), []);
        assert_eq!(readings(true, 0), [Reading::Inner]);
        assert_eq!(readings(false, 2), [Reading::Unheld]);
        assert_eq!(readings(true, 2), [Reading::Inner, Reading::Unheld, Reading::InnerUnheld]);
    }

    #[test]
    fn the_kind_that_differs_is_named() {
        let both = Doubt { crossing: true, held: 2, longest: 5 }.and(Doubt { crossing: false, held: 1, longest: 7 });
        assert_eq!(both.why_by(Reading::Unheld), Why::HeldUp { calls: 3, longest: 7 });
        assert_eq!([both.why_by(Reading::Inner), both.why()], [Why::Border, Why::Border]);
    }
}
