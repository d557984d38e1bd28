//! Our sentences as cucumber's: for its writers, and for users' own steps beside ours.
//!
//! Steps declare, the scenario is compiled whole: a step of ours only collects itself in the [`World`], and so should a user's.
//! [`collection`] offers the seventy-one sentences to cucumber; [`Runner`] reads features with them (and with whatever a user
//! added), asks what came of each scenario, and tells cucumber's writers. Nothing runs here: the answer comes from outside,
//! from whoever has run the plans of [`compile`](crate::compile).

mod runner;

pub use runner::{Runner, StepEnd};

use crate::matcher::language;
use cucumber::step::{Collection, Context, Location};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gherkin::StepType;
use std::convert::Infallible;

/// A world that can hold our sentences.
pub trait Collects {
    /// One of our sentences was met.
    fn collect(&mut self, step: &gherkin::Step);
}

/// The plain world: all that it knows is which steps were met.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The steps in order, without keywords.
    pub steps: Vec<String>,
}

impl Collects for World {
    fn collect(&mut self, step: &gherkin::Step) {
        self.steps.push(step.value.clone());
    }
}

impl cucumber::World for World {
    type Error = Infallible;

    async fn new() -> Result<Self, Self::Error> {
        Ok(World::default())
    }
}

/// The seventy-one sentences as steps of cucumber. Their location is their number: `language:55:1`.
#[must_use]
pub fn collection<W: Collects + 'static>() -> Collection<W> {
    language().forms.iter().fold(Collection::new(), |all, form| {
        let step = form.step;
        // A sentence under two keywords is two steps: the column tells them apart.
        let column = match step {
            StepType::Given => 1,
            StepType::When => 2,
            StepType::Then => 3,
        };
        let place = Some(Location { path: "language", line: form.sentence.number.into(), column });
        let regex = form.regex.clone();
        match step {
            StepType::Given => all.given(place, regex, collect::<W>),
            StepType::When => all.when(place, regex, collect::<W>),
            StepType::Then => all.then(place, regex, collect::<W>),
        }
    })
}

fn collect<W: Collects>(world: &mut W, context: Context) -> LocalBoxFuture<'_, ()> {
    async move { world.collect(&context.step) }.boxed_local()
}

#[cfg(test)]
mod tests;
