//! The same dynamic programme for a test that bets on a mean, where the values are 0, ½ and 1: calls of a paired test
//! (better, the same, worse), and units that are good, halved or bad.

use super::{
    Looks,
    window::{Outcome, Window},
};
use crate::betting::{Boundary, Side};
use crate::share::Counts;
use std::ops::Range;

/// The chances of the values 1 and ½; of 0 the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Thirds {
    pub(crate) one: f64,
    pub(crate) half: f64,
}

/// A row for each number of whole values (0 or 1), a window over the ones among them. The halves are the rest.
pub(crate) struct ValueLattice {
    truth: Thirds,
    looks: Looks,
    trim: f64,
    n: u64,
    rows: Vec<Row>,
    evidence: Vec<Evidence>,
    outcome: Outcome,
    cost: u64,
}

struct Row {
    whole: u64,
    /// As in the lattice of calls, by the set of boundaries shown to be kept so far.
    layers: [Window; 3],
    edges: Vec<Edge>,
}

impl Row {
    fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.chances.is_empty())
    }

    /// The ones that are reached in any layer.
    fn span(&self) -> (u64, u64) {
        let filled = self.layers.iter().filter(|layer| !layer.chances.is_empty());
        let ends = filled.map(|layer| (layer.start, layer.start + layer.chances.len() as u64));
        ends.reduce(|(first, past), (start, end)| (first.min(start), past.max(end))).unwrap_or_default()
    }
}

/// Where a boundary's two capitals cross at a row, in counted ones, as far as those are reached.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// The smallest count that does not show the boundary to be kept.
    within: u64,
    /// The smallest count that shows it to be broken.
    beyond: u64,
}

impl ValueLattice {
    /// At no values. Chances below `trim` are not followed.
    pub(crate) fn new<'a>(
        boundaries: impl IntoIterator<Item = &'a Boundary>,
        truth: Thirds,
        looks: Looks,
        trim: f64,
    ) -> Self {
        let evidence: Vec<Evidence> = boundaries.into_iter().map(Evidence::new).collect();
        let edges = vec![Edge { within: 0, beyond: 1 }; evidence.len()];
        let layers = [Window::certain(), Window::default(), Window::default()];
        let rows = vec![Row { whole: 0, layers, edges }];
        Self { truth, looks, trim, n: 0, rows, evidence, outcome: Outcome::default(), cost: 0 }
    }

    pub(crate) fn n(&self) -> u64 {
        self.n
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Multiply-adds so far, looks included at what they cost in such.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// To the next look.
    pub(crate) fn step(&mut self) -> Outcome {
        let looks = match self.looks {
            Looks::EveryCall | Looks::AsTested => 1,
            Looks::Stretching => (self.n / 500).max(1),
        };
        (1..=looks).for_each(|value| self.advance(value == looks));
        self.outcome
    }

    /// One value more.
    fn advance(&mut self, look: bool) {
        self.n += 1;
        // Even of nothing left to follow: whoever steps as long as a budget lasts comes to an end.
        self.cost += LOOK_COST;
        let before = std::mem::take(&mut self.rows);
        let first = before.first().map_or(0, |row| row.whole);
        let past = before.last().map_or(0, |row| row.whole + 2);
        for whole in first..past {
            let row_of = |whole| before.binary_search_by_key(&whole, |row: &Row| row.whole).ok().map(|i| &before[i]);
            let mut row = self.arrived(whole, row_of(whole), whole.checked_sub(1).and_then(row_of));
            if look && !row.is_empty() {
                self.look(&mut row);
            }
            if !row.is_empty() {
                self.rows.push(row);
            }
        }
    }

    /// The row of `whole` values, from that of as many, by a half, and that of one fewer, by a one or a zero.
    fn arrived(&mut self, whole: u64, same: Option<&Row>, fewer: Option<&Row>) -> Row {
        let zero = 1.0 - self.truth.one - self.truth.half;
        let edges = same.or(fewer).map(|row| row.edges.clone()).unwrap_or_default();
        let mut arrived = Row { whole, layers: Default::default(), edges };
        for (i, window) in arrived.layers.iter_mut().enumerate() {
            if let Some(row) = same {
                window.add_moved(&row.layers[i], 0, self.truth.half);
            }
            if let Some(row) = fewer {
                window.add_moved(&row.layers[i], 0, zero);
                window.add_moved(&row.layers[i], 1, self.truth.one);
            }
            self.outcome.untracked += window.trim(self.trim);
            self.cost += 3 * window.chances.len() as u64;
        }
        arrived
    }

    /// The look itself: what has crossed leaves, the rest stays in the layer of what it has shown.
    fn look(&mut self, row: &mut Row) {
        let (first, past) = row.span();
        for (evidence, edge) in self.evidence.iter().zip(&mut row.edges) {
            let reached = evidence.counts.range(row.whole, first..past);
            *edge = evidence.edge(*edge, reached, row.whole, self.n);
        }
        self.cost += LOOK_COST * self.evidence.len() as u64;
        if let ([evidence], [edge]) = (&self.evidence[..], &row.edges[..]) {
            let cut = row.layers[0].cut(evidence.counts.range(row.whole, edge.within..edge.beyond));
            let (kept, broken) = evidence.counts.ends(cut);
            self.outcome.holds += kept;
            self.outcome.violated += broken;
            return;
        }
        let arrived = std::mem::take(&mut row.layers);
        for (kept, window) in arrived.iter().enumerate() {
            for (ones, chance) in window.iter() {
                let (mut within, mut beyond) = (kept, 0usize);
                for (i, (evidence, edge)) in self.evidence.iter().zip(&row.edges).enumerate() {
                    let counted = evidence.counts.count(row.whole, ones);
                    within |= usize::from(counted < edge.within) << i;
                    beyond |= usize::from(counted >= edge.beyond) << i;
                }
                if let Some(layer) = self.outcome.sort(chance, within, beyond, self.evidence.len()) {
                    row.layers[layer].add(ones, chance);
                }
            }
        }
    }
}

impl Counts {
    /// The hits of which this much is counted among `n`, and back.
    fn range(self, n: u64, counted: Range<u64>) -> Range<u64> {
        match self {
            Self::Hits => counted,
            Self::Misses => (n + 1).saturating_sub(counted.end)..(n + 1).saturating_sub(counted.start),
        }
    }

    /// What is cut off at the low and the high end of the hits, as what is too low and too high of what is counted.
    fn ends(self, (low, high): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Hits => (low, high),
            Self::Misses => (high, low),
        }
    }
}

/// A look at a row finds two thresholds by some evaluations of a mixture each.
const LOOK_COST: u64 = 2_000;

/// The capitals of a boundary as functions of the counts.
pub(super) struct Evidence {
    counts: Counts,
    within: Mixture,
    beyond: Mixture,
}

struct Mixture {
    need: f64,
    ln_parts: Vec<f64>,
    /// What a counted one, half and zero add to the logarithm of each part.
    one: Vec<f64>,
    half: Vec<f64>,
    zero: Vec<f64>,
}

impl Evidence {
    pub(super) fn new(boundary: &Boundary) -> Self {
        let mixture = |side| Mixture::new(boundary, side);
        Self { counts: boundary.counts(), within: mixture(Side::Within), beyond: mixture(Side::Beyond) }
    }

    /// Is the boundary shown to be kept by these counts? Real-valued: plans follow the expected path too.
    pub(super) fn within(&self, one: f64, half: f64, zero: f64) -> bool {
        self.within.crosses(one, half, zero)
    }

    /// Is it shown to be broken?
    pub(super) fn beyond(&self, one: f64, half: f64, zero: f64) -> bool {
        self.beyond.crosses(one, half, zero)
    }

    /// The thresholds for the counts that are `reached` among `whole` values of `n`, from those of a row nearby. What has
    /// crossed has left, so that mostly nothing more does: a question at either end of what is reached.
    fn edge(&self, near: Edge, reached: Range<u64>, whole: u64, n: u64) -> Edge {
        let half = (n - whole) as f64;
        let within = |ones: u64| self.within(ones as f64, half, (whole - ones) as f64);
        let beyond = |ones: u64| self.beyond(ones as f64, half, (whole - ones) as f64);
        Edge {
            within: first_false(near.within, reached.clone(), within),
            beyond: first_false(near.beyond, reached, |ones| !beyond(ones)),
        }
    }
}

/// The first of `of` for which `holds`, true and then false, is false (its end if none), looked for from `near`.
fn first_false(near: u64, of: Range<u64>, holds: impl Fn(u64) -> bool) -> u64 {
    let mut first = near.clamp(of.start, of.end);
    while first > of.start && !holds(first - 1) {
        first -= 1;
    }
    while first < of.end && holds(first) {
        first += 1;
    }
    first
}

impl Mixture {
    fn new(boundary: &Boundary, side: Side) -> Self {
        let stakes = boundary.stakes(side);
        let gains = |counted: f64| stakes.ln_gains(boundary.payoff(side, boundary.counts().share(counted)));
        Self {
            need: boundary.need(side),
            ln_parts: stakes.ln_parts(),
            one: gains(1.0),
            half: gains(0.5),
            zero: gains(0.0),
        }
    }

    fn crosses(&self, one: f64, half: f64, zero: f64) -> bool {
        let gains = self.one.iter().zip(&self.half).zip(&self.zero);
        let ln = self.ln_parts.iter().zip(gains).map(|(part, ((of_one, of_half), of_zero))| {
            part + times(one, *of_one) + times(half, *of_half) + times(zero, *of_zero)
        });
        let most = ln.clone().fold(f64::NEG_INFINITY, f64::max);
        // The sum is between its largest part and as many of that as there are parts: mostly that says it.
        if most >= self.need || most + (self.ln_parts.len() as f64).ln() < self.need {
            return most >= self.need;
        }
        most + ln.map(|ln| (ln - most).exp()).sum::<f64>().ln() >= self.need
    }
}

/// `count × ln`, where nothing counted weighs nothing even against an impossibility.
fn times(count: f64, ln: f64) -> f64 {
    if count == 0.0 { 0.0 } else { count * ln }
}
