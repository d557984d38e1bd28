//! The bets on a promise as they stand.

use super::{
    boundary::{Boundary, Side, payoff},
    stakes::Capital,
};
use crate::bounds::{Interval, first_true, last_true};
use crate::share::{Counts, Crossed, Decision, decide};

/// The running test of some boundaries. It looks at every value.
#[derive(Debug, Clone)]
pub(crate) struct Game {
    tables: Vec<Table>,
    values: Vec<f64>,
    sum: f64,
    decision: Decision,
    decided_at: Option<usize>,
}

#[derive(Debug, Clone)]
struct Table {
    boundary: Boundary,
    within: Capital,
    beyond: Capital,
    crossed: Crossed,
}

impl Game {
    pub(crate) fn new(boundaries: impl IntoIterator<Item = Boundary>) -> Self {
        Self {
            tables: boundaries.into_iter().map(Table::new).collect(),
            values: Vec::new(),
            sum: 0.0,
            decision: Decision::Undecided,
            decided_at: None,
        }
    }

    /// One value more, in `[0, 1]`.
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
        self.sum += value;
        for table in &mut self.tables {
            table.bet(value);
        }
        self.decision = decide(self.tables.iter().map(|table| table.crossed));
        if self.decision != Decision::Undecided {
            self.decided_at.get_or_insert(self.values.len());
        }
    }

    pub(crate) fn decision(&self) -> Decision {
        self.decision
    }

    pub(crate) fn n(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn decided_at(&self) -> Option<usize> {
        self.decided_at
    }

    /// The mean so far; `None` of no value.
    pub(crate) fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| self.sum / self.values.len() as f64)
    }

    /// The values that a decision rests on, or all while there is none.
    pub(crate) fn decisive(&self) -> &[f64] {
        &self.values[..self.decided_at.unwrap_or(self.values.len())]
    }

    /// What the decisive values exclude, at the error rates of the test: `(likely, sure)`.
    pub(crate) fn bounds(&self) -> (Interval, Interval) {
        let (mut likely, mut sure) = (Interval::ALL, Interval::ALL);
        for Table { boundary, .. } in &self.tables {
            let counted: Vec<f64> = self.decisive().iter().map(|v| boundary.counts().share(*v)).collect();
            let (most, least) = (upper_limit(boundary, &counted), lower_limit(boundary, &counted));
            match boundary.counts() {
                Counts::Hits => (likely.high, sure.low) = (most, least),
                Counts::Misses => (likely.low, sure.high) = (1.0 - most, 1.0 - least),
            }
        }
        (likely, sure)
    }
}

impl Table {
    fn new(boundary: Boundary) -> Self {
        Self {
            within: boundary.stakes(Side::Within).capital(),
            beyond: boundary.stakes(Side::Beyond).capital(),
            boundary,
            crossed: Crossed::default(),
        }
    }

    fn bet(&mut self, value: f64) {
        let sides = [
            (Side::Within, &mut self.within, &mut self.crossed.within),
            (Side::Beyond, &mut self.beyond, &mut self.crossed.beyond),
        ];
        for (side, capital, crossed) in sides {
            if !*crossed {
                capital.bet(self.boundary.payoff(side, value));
                *crossed = capital.ln() >= self.boundary.need(side);
            }
        }
    }
}

/// The smallest boundary that `counted` would have shown to be kept.
fn upper_limit(boundary: &Boundary, counted: &[f64]) -> f64 {
    first_true(mean(counted), 1.0, |at| excludes(boundary, Side::Within, counted, at))
}

/// The largest boundary that `counted` would have shown to be broken.
fn lower_limit(boundary: &Boundary, counted: &[f64]) -> f64 {
    last_true(0.0, mean(counted), |at| excludes(boundary, Side::Beyond, counted, at))
}

/// Would the same stakes have decided for `side`, were the boundary at `at`?
fn excludes(boundary: &Boundary, side: Side, counted: &[f64], at: f64) -> bool {
    let mut capital = boundary.stakes(side).capital();
    let need = boundary.need_of_bound(side);
    counted.iter().for_each(|value| capital.bet(payoff(side, *value, at)));
    capital.ln() >= need
}

/// Not a number of no value, which leaves the whole range.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
