//! What is changed from outside: damage, where wires lead, marks in the records.

use super::Carrier;
use crate::{
    LinkError, clock,
    connection::ConnectionId,
    harm::{Harm, HarmError, Reception, Way},
};
use squall_model::{Damage, Stamp, Wire, WireEnd};
use std::{collections::BTreeSet, io, net::SocketAddr};
use thiserror::Error;

/// Why a change was not made.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("{0} is no wire of this link")]
    NoSuchWire(Wire),
    #[error("{0} is named twice")]
    Twice(Wire),
    #[error("{0}: {1}")]
    Harm(Wire, HarmError),
    #[error("{0}: the kernel does not let its port be shut, silent or open: {1}")]
    Door(Wire, io::Error),
}

impl Carrier {
    /// Has exactly this done to the wires; those that are not named are clean. It is done when this returns. Refused for a door, all
    /// are clean; refused for anything else, nothing was changed.
    pub(crate) fn damage(&mut self, wanted: &[(Wire, Vec<Damage>)]) -> Result<Result<(), Refusal>, LinkError> {
        let harms = match self.harms(wanted) {
            Ok(harms) => harms,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for (number, harm) in harms.into_iter().enumerate() {
            if let Err(error) = self.change(number, harm)? {
                self.clean()?;
                return Ok(Err(Refusal::Door(self.wires[number].wire.clone(), error)));
            }
        }
        Ok(Ok(()))
    }

    /// Does nothing to any wire any more.
    pub(crate) fn clean(&mut self) -> Result<(), LinkError> {
        for number in 0..self.wires.len() {
            self.change(number, Harm::default())??;
        }
        Ok(())
    }

    /// Leads new connections over a wire somewhere else; `None`: nobody is there.
    pub(crate) fn lead(&mut self, wire: &Wire, to: Option<SocketAddr>) -> Result<Result<(), Refusal>, LinkError> {
        let number = match self.number(wire) {
            Ok(number) => number,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let reception = self.wires[number].harm().reception(to);
        if let Err(error) = self.receive(number, reception)? {
            return Ok(Err(Refusal::Door(wire.clone(), error)));
        }
        self.wires[number].lead(to);
        Ok(Ok(()))
    }

    /// Writes a line for each connection that is open, and the marker after them if there is one.
    pub(crate) fn mark(&mut self, text: Option<&str>) -> Result<(), LinkError> {
        let now = clock::now();
        let open: Vec<_> = self
            .connections
            .values_mut()
            .map(|connection| {
                let carried = &self.wires[connection.wire];
                connection.account(carried, now);
                connection.record(&carried.wire, WireEnd::Open, now)
            })
            .collect();
        self.records.mark(&open, text)
    }

    /// What is wanted for each wire.
    fn harms(&self, wanted: &[(Wire, Vec<Damage>)]) -> Result<Vec<Harm>, Refusal> {
        let mut harms = vec![Harm::default(); self.wires.len()];
        let mut named = BTreeSet::new();
        for (wire, damages) in wanted {
            let number = self.number(wire)?;
            if !named.insert(number) {
                return Err(Refusal::Twice(wire.clone()));
            }
            harms[number] = Harm::new(damages).map_err(|error| Refusal::Harm(wire.clone(), error))?;
        }
        Ok(harms)
    }

    fn number(&self, wire: &Wire) -> Result<usize, Refusal> {
        self.numbers.get(wire).copied().ok_or_else(|| Refusal::NoSuchWire(wire.clone()))
    }

    /// Has this done to a wire, its door and its connections.
    fn change(&mut self, number: usize, harm: Harm) -> Result<io::Result<()>, LinkError> {
        let carried = &self.wires[number];
        if *carried.harm() == harm {
            return Ok(Ok(()));
        }
        if let Err(error) = self.receive(number, harm.reception(carried.to()))? {
            return Ok(Err(error));
        }
        let (was_half_open, is_half_open) = (self.wires[number].harm().is_half_open(), harm.is_half_open());
        let (ids, now) = (self.ids_over(number), clock::now());
        for id in &ids {
            self.account(*id, now);
        }
        self.wires[number].suffer(harm);
        for id in &ids {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.suffer(&self.wires[number], now);
            }
        }
        match (was_half_open, is_half_open) {
            (false, true) => ids.iter().for_each(|id| self.sever(*id, now)),
            (true, false) => ids.iter().try_for_each(|id| self.disclose(*id, now))?,
            _ => {}
        }
        for id in ids {
            Way::BOTH.into_iter().try_for_each(|way| self.pump(id, way))?;
        }
        Way::BOTH.into_iter().for_each(|way| self.set_service(number, way));
        Ok(Ok(()))
    }

    /// Has those met like this who come from now on; who came before is accepted.
    fn receive(&mut self, number: usize, reception: Reception) -> Result<io::Result<()>, LinkError> {
        // Before the door shuts for good, after it fell silent.
        while self.accept_one(number)? {}
        if let Err(error) = self.wires[number].door.receive(reception, &self.registry) {
            return Ok(Err(error));
        }
        while self.accept_one(number)? {}
        Ok(Ok(()))
    }

    fn ids_over(&self, number: usize) -> Vec<ConnectionId> {
        let over = self.connections.iter().filter(|(_, connection)| connection.wire == number);
        over.map(|(&id, _)| id).collect()
    }

    fn account(&mut self, id: ConnectionId, now: Stamp) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.account(&self.wires[connection.wire], now);
        }
    }

    fn sever(&mut self, id: ConnectionId, now: Stamp) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.sever(now);
        }
    }

    fn disclose(&mut self, id: ConnectionId, now: Stamp) -> Result<(), LinkError> {
        match self.connections.get_mut(&id).is_some_and(|connection| connection.disclose(now)) {
            true => self.finish(id, WireEnd::Damage),
            false => Ok(()),
        }
    }
}
