//! A runner for cucumber that runs nothing: it finds the steps, asks what came of the scenario, and tells.

use cucumber::event::{Cucumber, Scenario, Source, StepError};
use cucumber::step::{Collection, Location};
use cucumber::{Event, World, cli, parser};
use futures_util::future::ready;
use futures_util::stream::{self, LocalBoxStream};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use regex::CaptureLocations;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// It held, or was in place.
    Passed,
    /// It did not, and why: violated, inconclusive, unsupported… cucumber has one word for all of them.
    Failed(String),
    /// Nobody can tell: the scenario did not get so far.
    Skipped,
}

/// Feeds cucumber's writers with what came of scenarios that were run elsewhere.
///
/// `judge` is asked once for each scenario whose steps are all known: it gets feature, scenario and the world with the steps
/// collected, and gives an end for each step, those of the Backgrounds first; steps that it leaves out have passed.
pub struct Runner<W, J> {
    steps: Collection<W>,
    judge: J,
    world: PhantomData<fn() -> W>,
}

impl<W, J> Runner<W, J>
where
    W: World,
    J: FnMut(&gherkin::Feature, &gherkin::Scenario, W) -> Vec<StepEnd> + 'static,
{
    /// A runner for these steps: [`collection`](super::collection), and perhaps a user's own.
    pub fn new(steps: Collection<W>, judge: J) -> Self {
        Runner { steps, judge, world: PhantomData }
    }

    fn features(mut self, parsed: Vec<parser::Result<gherkin::Feature>>) -> Vec<parser::Result<Event<Cucumber<W>>>> {
        let mut out: Events<W> = Vec::new();
        out.push(Ok(Event::new(Cucumber::Started)));
        let (features, errors): (Vec<_>, Vec<_>) = parsed.into_iter().partition(Result::is_ok);
        let features: Vec<gherkin::Feature> = features.into_iter().flatten().collect();
        let parser_errors = errors.len();
        out.extend(errors.into_iter().filter_map(Result::err).map(Err));
        let scenarios =
            |f: &gherkin::Feature| f.scenarios.len() + f.rules.iter().map(|r| r.scenarios.len()).sum::<usize>();
        out.push(Ok(Event::new(Cucumber::ParsingFinished {
            features: features.len(),
            rules: features.iter().map(|f| f.rules.len()).sum(),
            scenarios: features.iter().map(scenarios).sum(),
            steps: features.iter().map(steps_of).sum(),
            parser_errors,
        })));
        for feature in features {
            self.feature(Source::new(feature), &mut out);
        }
        out.push(Ok(Event::new(Cucumber::Finished)));
        out
    }

    fn feature(&mut self, feature: Source<gherkin::Feature>, out: &mut Events<W>) {
        out.push(Ok(Event::new(Cucumber::feature_started(feature.clone()))));
        for scenario in &feature.scenarios {
            self.scenario(&feature, None, scenario, out);
        }
        for rule in &feature.rules {
            let rule = Source::new(rule.clone());
            out.push(Ok(Event::new(Cucumber::rule_started(feature.clone(), rule.clone()))));
            for scenario in &rule.scenarios {
                self.scenario(&feature, Some(&rule), scenario, out);
            }
            out.push(Ok(Event::new(Cucumber::rule_finished(feature.clone(), rule))));
        }
        out.push(Ok(Event::new(Cucumber::feature_finished(feature))));
    }

    fn scenario(
        &mut self,
        feature: &Source<gherkin::Feature>,
        rule: Option<&Source<gherkin::Rule>>,
        scenario: &gherkin::Scenario,
        out: &mut Events<W>,
    ) {
        let source = Source::new(scenario.clone());
        let backgrounds = feature.background.iter().chain(rule.and_then(|r| r.background.as_ref()));
        let steps: Vec<(bool, Source<gherkin::Step>)> = backgrounds
            .flat_map(|b| b.steps.iter().map(|s| (true, s)))
            .chain(scenario.steps.iter().map(|s| (false, s)))
            .map(|(above, step)| (above, Source::new(step.clone())))
            .collect();
        let mut tell = |event: Scenario<W>| {
            let event = Cucumber::scenario(feature.clone(), rule.cloned(), source.clone(), event.with_retries(None));
            out.push(Ok(Event::new(event)));
        };
        tell(Scenario::Started);
        for ((above, step), end) in steps.iter().zip(self.ends(feature, scenario, &steps)) {
            for event in [cucumber::event::Step::Started, end] {
                tell(if *above {
                    Scenario::Background(step.clone(), event)
                } else {
                    Scenario::Step(step.clone(), event)
                });
            }
        }
        tell(Scenario::Finished);
    }

    /// What came of each step.
    fn ends(
        &mut self,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        steps: &[(bool, Source<gherkin::Step>)],
    ) -> Vec<cucumber::event::Step<W>> {
        let Some(Ok(mut world)) = W::new().now_or_never() else {
            return steps.iter().map(|_| failed("the world cannot be made here and now".to_owned(), None)).collect();
        };
        let found: Vec<_> = steps.iter().map(|(_, step)| self.declare(&mut world, step)).collect();
        let known = found.iter().all(|found| matches!(found, Declared::Known(..)));
        let mut judged =
            if known { (self.judge)(feature, scenario, world).into_iter() } else { Vec::new().into_iter() };
        let end = |declared| match declared {
            Declared::Unknown => cucumber::event::Step::Skipped,
            Declared::Wrong(error, place) => cucumber::event::Step::Failed(None, place, None, error),
            Declared::Known(_, _) if !known => cucumber::event::Step::Skipped,
            Declared::Known(captures, place) => match judged.next().unwrap_or(StepEnd::Passed) {
                StepEnd::Passed => cucumber::event::Step::Passed(captures, place),
                StepEnd::Failed(why) => failed(why, place),
                StepEnd::Skipped => cucumber::event::Step::Skipped,
            },
        };
        found.into_iter().map(end).collect()
    }

    /// Finds a step and lets it declare itself. A step that waits for something has misunderstood what it is for.
    fn declare(&self, world: &mut W, step: &gherkin::Step) -> Declared {
        let (declare, captures, place, context) = match self.steps.find(step) {
            Ok(Some(found)) => found,
            Ok(None) => return Declared::Unknown,
            Err(ambiguous) => return Declared::Wrong(StepError::AmbiguousMatch(ambiguous), None),
        };
        match catch_unwind(AssertUnwindSafe(|| declare(world, context).now_or_never())) {
            Ok(Some(())) => Declared::Known(captures, place),
            Ok(None) => {
                let why = "a step declares what is wanted and may not wait: what acts is registered, and called by the engine";
                Declared::Wrong(StepError::Panic(Arc::new(why.to_owned())), place)
            }
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                Declared::Wrong(StepError::Panic(Arc::new(words.unwrap_or_else(|| "panicked".to_owned()))), place)
            }
        }
    }
}

impl<W, J> std::fmt::Debug for Runner<W, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

type Events<W> = Vec<parser::Result<Event<Cucumber<W>>>>;

/// What the collection says of a step.
enum Declared {
    Known(CaptureLocations, Option<Location>),
    Unknown,
    Wrong(StepError, Option<Location>),
}

fn failed<W>(why: String, place: Option<Location>) -> cucumber::event::Step<W> {
    cucumber::event::Step::Failed(None, place, None, StepError::Panic(Arc::new(why)))
}

fn steps_of(feature: &gherkin::Feature) -> usize {
    let own = |scenarios: &[gherkin::Scenario]| scenarios.iter().map(|s| s.steps.len()).sum::<usize>();
    own(&feature.scenarios) + feature.rules.iter().map(|r| own(&r.scenarios)).sum::<usize>()
}

impl<W, J> cucumber::Runner<W> for Runner<W, J>
where
    W: World,
    J: FnMut(&gherkin::Feature, &gherkin::Scenario, W) -> Vec<StepEnd> + 'static,
{
    type Cli = cli::Empty;
    type EventStream = LocalBoxStream<'static, parser::Result<Event<Cucumber<W>>>>;

    fn run<S>(self, features: S, _: cli::Empty) -> Self::EventStream
    where
        S: Stream<Item = parser::Result<gherkin::Feature>> + 'static,
    {
        let all = features.collect::<Vec<_>>().then(|parsed| ready(self.features(parsed)));
        all.into_stream().flat_map(stream::iter).boxed_local()
    }
}
