//! What is ordered, and what that makes of one question. Pure.

use super::Draw;
use crate::render::{Condition, SlotTouch};
use squall_model::{AnswerCode, FaultId, Fraction, InstanceId, ServiceName};
use std::{collections::BTreeSet, time::Duration};

/// One fault on tries that reach instances whose proxies are not ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The fault. It is drawn for once a try, whatever number of its orders would fit: the first counts.
    pub fault: FaultId,
    /// The instances that the tries reach.
    pub at: BTreeSet<InstanceId>,
    /// The service that sends them; `None`: any, known or not.
    pub from: Option<ServiceName>,
    /// What is asked of the request: all of this must hold.
    pub only: BTreeSet<Condition>,
    /// How many of these tries it strikes.
    pub share: Fraction,
    /// What it does to them.
    pub does: SlotTouch,
}

/// What is known of a try that is asked about.
pub(super) struct Try<'t, 'h> {
    pub(super) id: &'t str,
    pub(super) attempt: u32,
    pub(super) at: &'t InstanceId,
    /// How often the same was asked before.
    pub(super) nth: u32,
    pub(super) caller: Option<&'t ServiceName>,
    pub(super) header: &'t Header<'h>,
}

/// Headers and pseudo-headers, by their names in lower case.
pub(super) type Header<'h> = dyn Fn(&str) -> Option<&'h str> + 'h;

/// What becomes of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) meant: Vec<FaultId>,
    pub(super) struck: Vec<FaultId>,
    /// For so long it is held: all delays that strike it together.
    pub(super) delay: Duration,
    /// What it is answered with after that: by the first of those that strike it and abort.
    pub(super) abort: Option<AnswerCode>,
}

impl Order {
    fn is_meant(&self, of: &Try<'_, '_>) -> bool {
        self.at.contains(of.at)
            && self.from.as_ref().is_none_or(|from| of.caller == Some(from))
            && self.only.iter().all(|condition| condition.is_met(of.header))
    }
}

/// Draws for a try, once for each fault that is meant for it.
pub(super) fn fate(seed: u64, orders: &[Order], of: &Try<'_, '_>) -> Fate {
    let mut fate = Fate::default();
    for order in orders.iter().filter(|order| order.is_meant(of)) {
        if fate.meant.contains(&order.fault) {
            continue;
        }
        fate.meant.push(order.fault);
        let draw = Draw { seed, fault: order.fault, id: of.id, attempt: of.attempt, at: of.at, nth: of.nth };
        if draw.strikes(order.share) {
            fate.strike(order);
        }
    }
    fate
}

impl Fate {
    fn strike(&mut self, order: &Order) {
        self.struck.push(order.fault);
        match order.does {
            SlotTouch::Delay(time) => self.delay = self.delay.saturating_add(time),
            SlotTouch::Abort(code) => self.abort = self.abort.or(Some(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::GrpcStatus;

    fn shop(number: u32) -> InstanceId {
        InstanceId { service: "shop".into(), number }
    }

    fn order(fault: u32, does: SlotTouch) -> Order {
        let (fault, at) = (FaultId(fault), BTreeSet::from([shop(1)]));
        Order { fault, at, from: None, only: BTreeSet::new(), share: Fraction::ALL, does }
    }

    fn delay(ms: u64) -> SlotTouch {
        SlotTouch::Delay(Duration::from_millis(ms))
    }

    fn abort(status: u16) -> SlotTouch {
        SlotTouch::Abort(AnswerCode::Status(status))
    }

    /// The fate of a GET of `/buy?n=2` by `web`, at this instance.
    fn of(orders: &[Order], at: &InstanceId) -> Fate {
        let caller = "web".into();
        let header = |name: &str| [(":path", "/buy?n=2"), (":method", "GET")].iter().find(|h| h.0 == name).map(|h| h.1);
        fate(1, orders, &Try { id: "r1.0", attempt: 1, at, nth: 0, caller: Some(&caller), header: &header })
    }

    #[test]
    fn delays_add_up_and_the_first_abort_answers() {
        let grpc = SlotTouch::Abort(AnswerCode::Grpc(GrpcStatus::Unavailable));
        let orders = [order(3, delay(20)), order(1, abort(503)), order(0, grpc), order(2, delay(5))];
        let all: Vec<FaultId> = [3, 1, 0, 2].map(FaultId).into();
        let expected = Fate {
            meant: all.clone(),
            struck: all,
            delay: Duration::from_millis(25),
            abort: Some(AnswerCode::Status(503)),
        };
        assert_eq!(of(&orders, &shop(1)), expected);
    }

    #[test]
    fn what_is_meant_and_not_struck_is_told() {
        let never = Order { share: Fraction::ZERO, ..order(0, abort(503)) };
        assert_eq!(of(&[never], &shop(1)), Fate { meant: vec![FaultId(0)], ..Fate::default() });
    }

    #[test]
    fn a_fault_strikes_a_try_once() {
        let found = of(&[order(0, delay(20)), order(0, delay(20))], &shop(1));
        assert_eq!((found.struck, found.delay), (vec![FaultId(0)], Duration::from_millis(20)));
    }

    #[test]
    fn only_what_is_aimed_at_is_drawn_for() {
        let plain = order(0, abort(503));
        let only = |condition| Order { only: BTreeSet::from([condition]), ..plain.clone() };
        let from = |service: &str| Order { from: Some(service.into()), ..plain.clone() };
        for (order, is_meant) in [
            (plain.clone(), true),
            (from("web"), true),
            (from("api"), false),
            (only(Condition::Path("/buy".into())), true),
            (only(Condition::Path("/b".into())), false),
            (only(Condition::Query("n=2".into())), true),
            (only(Condition::Header(":method".into(), "POST".into())), false),
        ] {
            assert_eq!(!of(std::slice::from_ref(&order), &shop(1)).meant.is_empty(), is_meant, "{order:?}");
        }
        assert_eq!(of(&[plain], &shop(2)), Fate::default());
    }
}
