//! The distribution of (calls, hits) of a test that has not decided, carried from look to look.

use super::window::{Outcome, Window};
use crate::share::{Design, Fence, LOOK_EVERY};
use statrs::function::factorial::ln_binomial;

/// How the looks are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// At every call (unit, pair): what whoever may conclude at any call could see.
    EveryCall,
    /// As the test itself looks: every [`LOOK_EVERY`] calls, at every unit or pair.
    AsTested,
    /// As the test up to 4,000 calls, then every half percent of the calls made; of pairs every fifth of a percent. For
    /// plans only.
    Stretching,
}

/// The dynamic programme. A layer for each set of fences that the evidence has shown to be kept so far: one of a
/// range's two may be crossed long before the other.
pub(crate) struct Lattice {
    truth: f64,
    looks: Looks,
    end: u64,
    trim: f64,
    n: u64,
    layers: [Window; 3],
    edges: Vec<Edge>,
    kernel: Kernel,
    outcome: Outcome,
    cost: u64,
}

impl Lattice {
    /// At no calls. Chances below `trim` are not followed.
    pub(crate) fn new(design: &Design, truth: f64, looks: Looks, trim: f64) -> Self {
        Self {
            truth,
            looks,
            end: u64::MAX,
            trim,
            n: 0,
            layers: [Window::certain(), Window::default(), Window::default()],
            edges: design.fences().iter().map(Edge::new).collect(),
            kernel: Kernel::default(),
            outcome: Outcome::default(),
            cost: 0,
        }
    }

    /// With a last look after `n` calls.
    pub(crate) fn ending_at(mut self, n: u64) -> Self {
        self.end = n;
        self
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
        let stride = self.stride();
        if self.kernel.calls != stride {
            self.kernel = Kernel::new(stride, self.truth, self.trim);
        }
        self.n += stride;
        for edge in &mut self.edges {
            edge.advance(self.n, stride);
        }
        let before = std::mem::take(&mut self.layers);
        for (kept, window) in before.iter().enumerate() {
            self.cost += (window.chances.len() * self.kernel.chances.len()) as u64;
            self.sort_in(kept, &window.after(&self.kernel));
        }
        for layer in &mut self.layers {
            self.outcome.untracked += layer.trim(self.trim);
        }
        self.cost += LOOK_COST;
        self.outcome
    }

    fn stride(&self) -> u64 {
        let stride = match self.looks {
            Looks::EveryCall => 1,
            Looks::AsTested => LOOK_EVERY,
            Looks::Stretching => (self.n / 200 / LOOK_EVERY).max(1) * LOOK_EVERY,
        };
        stride.min(self.end.saturating_sub(self.n))
    }

    /// The look itself: what has crossed leaves, the rest stays in the layer of what it has shown.
    fn sort_in(&mut self, kept: usize, window: &Window) {
        for (hits, chance) in window.iter() {
            let (mut within, mut beyond) = (kept, 0usize);
            for (i, edge) in self.edges.iter().enumerate() {
                let k = edge.fence.counts.count(self.n, hits);
                within |= usize::from(edge.within.is_some_and(|last| k <= last)) << i;
                beyond |= usize::from(k >= edge.beyond) << i;
            }
            if let Some(layer) = self.outcome.sort(chance, within, beyond, self.edges.len()) {
                self.layers[layer].add(hits, chance);
            }
        }
    }
}

/// A look finds four thresholds: some tens of evaluations.
const LOOK_COST: u64 = 5_000;

impl Window {
    /// After the calls of `kernel`.
    fn after(&self, kernel: &Kernel) -> Self {
        if self.chances.is_empty() {
            return Self::default();
        }
        let (short, long) = if self.chances.len() < kernel.chances.len() {
            (&self.chances, &kernel.chances)
        } else {
            (&kernel.chances, &self.chances)
        };
        let mut chances = vec![0.0; short.len() + long.len() - 1];
        for (i, &weight) in short.iter().enumerate() {
            for (sum, chance) in chances[i..].iter_mut().zip(long) {
                *sum += weight * chance;
            }
        }
        Self { start: self.start + kernel.start, chances }
    }
}

/// Chances of the hits among the calls between two looks.
#[derive(Debug, Default)]
struct Kernel {
    calls: u64,
    start: u64,
    chances: Vec<f64>,
}

impl Kernel {
    /// The binomial distribution, without the ends that weigh less than `trim` (their mass falls to no outcome).
    fn new(calls: u64, truth: f64, trim: f64) -> Self {
        let ln_hit = truth.ln();
        let ln_miss = (-truth).ln_1p();
        let chance = |hits: u64| {
            let power = |count: u64, ln: f64| if count == 0 { 0.0 } else { count as f64 * ln };
            (ln_binomial(calls, hits) + power(hits, ln_hit) + power(calls - hits, ln_miss)).exp()
        };
        let mode = ((calls as f64 + 1.0) * truth).floor().min(calls as f64) as u64;
        let floor = trim * 1e-3;
        let down = (0..mode).rev().map(|hits| (hits, chance(hits))).take_while(|(_, c)| *c > floor);
        let up = (mode..=calls).map(|hits| (hits, chance(hits))).take_while(|(hits, c)| *hits == mode || *c > floor);
        let mut all: Vec<(u64, f64)> = down.collect();
        all.reverse();
        all.extend(up);
        let start = all.first().map_or(mode, |(hits, _)| *hits);
        Self { calls, start, chances: all.into_iter().map(|(_, chance)| chance).collect() }
    }
}

/// Where a fence's two martingales cross at the present look, in what it counts. Both thresholds only rise with the
/// calls, by at most one each.
struct Edge {
    fence: Fence,
    /// Largest count that shows the fence to be kept; `None` while there is none.
    within: Option<u64>,
    /// Smallest count that shows it to be broken; more than the calls while there is none.
    beyond: u64,
}

impl Edge {
    fn new(fence: &Fence) -> Self {
        Self { fence: *fence, within: None, beyond: 1 }
    }

    fn advance(&mut self, n: u64, stride: u64) {
        let expected = (self.fence.at * stride as f64) as u64;
        let within = |k: u64| self.fence.within(n as f64, k as f64);
        let mut last = self.within.map_or(0, |last| last + expected);
        while last > 0 && !within(last) {
            last -= 1;
        }
        self.within = within(last).then(|| {
            while last < n && within(last + 1) {
                last += 1;
            }
            last
        });
        let beyond = |k: u64| self.fence.beyond(n as f64, k as f64);
        let mut first = (self.beyond + expected).min(n);
        while first > 0 && beyond(first) {
            first -= 1;
        }
        while first <= n && !beyond(first) {
            first += 1;
        }
        self.beyond = first;
    }
}
