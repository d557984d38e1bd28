//! One wire: its door, where it leads, and what is done to it.

use crate::{
    WireConfig,
    connection::ConnectionId,
    door::Door,
    draw::Draw,
    harm::{Flow, Harm, Reception, Way},
    hurts::Hurts,
    pipe::Road,
    throttle::Throttle,
};
use mio::Registry;
use squall_model::{Stamp, Wire};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};

#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) wire: Wire,
    pub(crate) door: Door,
    /// Where new connections go; `None`: nobody is there.
    to: Option<SocketAddr>,
    harm: Harm,
    to_callee: Lane,
    to_caller: Lane,
    draw: Draw,
    accepted: u64,
}

/// One way over the wire.
#[derive(Debug, Default)]
struct Lane {
    flow: Flow,
    /// In place where the flow has a rate.
    throttle: Option<Throttle<ConnectionId>>,
}

impl Carried {
    /// A wire whose door refuses still.
    pub(crate) fn new(number: usize, host: IpAddr, config: &WireConfig, seed: u64) -> io::Result<Carried> {
        Ok(Carried {
            wire: config.wire.clone(),
            door: Door::new(number, host)?,
            to: config.to,
            harm: Harm::default(),
            to_callee: Lane::default(),
            to_caller: Lane::default(),
            draw: Draw::of_wire(seed, &config.wire),
            accepted: 0,
        })
    }

    pub(crate) fn harm(&self) -> &Harm {
        &self.harm
    }

    pub(crate) fn to(&self) -> Option<SocketAddr> {
        self.to
    }

    pub(crate) fn lead(&mut self, to: Option<SocketAddr>) {
        self.to = to;
    }

    pub(crate) fn flow(&self, way: Way) -> &Flow {
        &self.lane(way).flow
    }

    pub(crate) fn throttle(&self, way: Way) -> Option<&Throttle<ConnectionId>> {
        self.lane(way).throttle.as_ref()
    }

    pub(crate) fn throttle_mut(&mut self, way: Way) -> Option<&mut Throttle<ConnectionId>> {
        self.lane_mut(way).throttle.as_mut()
    }

    /// What a connection with this draw goes through this way.
    pub(crate) fn road<'a>(
        &'a mut self,
        way: Way,
        draw: Draw,
        now: Stamp,
        hurts: &'a mut Hurts,
        scratch: &'a mut [u8],
    ) -> Road<'a> {
        let is_mined = way == Way::ToCallee && self.harm.reset().is_some_and(|share| draw.is_within(share));
        let lane = self.lane_mut(way);
        Road { now, flow: &lane.flow, throttle: lane.throttle.as_mut(), is_mined, hurts, scratch }
    }

    /// The draw of the next connection.
    pub(crate) fn draw(&mut self) -> Draw {
        self.accepted += 1;
        self.draw.nth(self.accepted)
    }

    /// How its door is to meet those who come.
    pub(crate) fn reception(&self) -> Reception {
        self.harm.reception(self.to)
    }

    /// Has this done to what it carries from now on. The door is the caller's business, and so are the connections.
    pub(crate) fn suffer(&mut self, harm: Harm) {
        for way in Way::BOTH {
            let (lane, flow) = (self.lane_mut(way), harm.flow(way));
            if flow.rate != lane.flow.rate {
                lane.throttle = flow.rate.map(Throttle::new);
            }
            lane.flow = flow;
        }
        self.harm = harm;
    }

    pub(crate) fn open_door(&mut self, registry: &Registry) -> io::Result<()> {
        self.door.receive(self.reception(), registry)
    }

    fn lane(&self, way: Way) -> &Lane {
        match way {
            Way::ToCallee => &self.to_callee,
            Way::ToCaller => &self.to_caller,
        }
    }

    fn lane_mut(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::ToCallee => &mut self.to_callee,
            Way::ToCaller => &mut self.to_caller,
        }
    }
}
