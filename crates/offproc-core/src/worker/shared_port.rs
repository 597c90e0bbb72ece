//! A port over shared memory: jobs are read and answers written where the parent sees them.

use super::port::{Next, Port};
use super::spin::{Place, Spin};
use super::stream_port::StreamPort;
use crate::sys::fork;
use crate::sys::shared_memory::{SharedFutex, SharedMemory};
use crate::wire::attachments::{Incoming, Outgoing};
use crate::wire::frame::Kind;
use crate::wire::turn::Found;
use crate::wire::writer::Writer;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct SharedPort {
    memory: SharedMemory,
    bell: OwnedFd,
    // Where descriptors go beside the memory.
    stream: StreamPort,
    turn: u32,
    spin: Spin,
    place: Place,
}

impl SharedPort {
    pub(crate) fn new(memory: SharedMemory, bell: OwnedFd, stream: StreamPort, spin: Duration) -> Self {
        Self { memory, bell, stream, turn: 0, spin: Spin::new(spin), place: Place::new() }
    }

    fn ring(&self) -> io::Result<()> {
        match rustix::io::write(&self.bell, &1_u64.to_ne_bytes()) {
            // Full: it has rung four thousand million times four thousand million times.
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Port for SharedPort {
    fn next(&mut self, patience: Option<Duration>, incoming: &mut Incoming) -> io::Result<Next> {
        self.memory.unmap_excess();
        let turns = self.memory.turns();
        let found = match self.spin.until(|| turns.look(self.turn)) {
            Some(found) => found,
            None => {
                let found = turns.sleep(self.turn, &SharedFutex::within(patience));
                self.spin.woken();
                found
            }
        };
        match found {
            Found::Job(turn) => {
                self.turn = turn;
                if turns.down.descriptors.load(Ordering::Acquire) != 0 {
                    self.stream.receive_attached(incoming)?;
                } else {
                    incoming.put(Vec::new());
                }
                let length = turns.down.length.load(Ordering::Acquire);
                let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
                Ok(Next::Job(self.memory.data(length)?))
            }
            Found::Closed => Ok(Next::Closed),
            Found::Idle => Ok(Next::Idle),
        }
    }

    fn outgoing(&self, incoming: &mut Incoming) -> Outgoing {
        Outgoing::up(incoming)
    }

    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>> {
        fork::end_copy();
        Writer::new(&mut self.memory, 0, limit)
    }

    fn answer(&mut self, kind: Kind, written: usize, outgoing: Outgoing) -> io::Result<()> {
        if !outgoing.is_empty() {
            self.stream.send_attached(&outgoing)?;
        }
        let turns = self.memory.turns();
        turns.up.kind.store(kind as u32, Ordering::Relaxed);
        turns.up.descriptors.store(u32::from(!outgoing.is_empty()), Ordering::Relaxed);
        turns.up.length.store(written as u64, Ordering::Relaxed);
        turns.up.contended.store(u32::from(self.spin.is_contended()), Ordering::Relaxed);
        if turns.reply(self.turn) {
            self.ring()?;
            self.place.rang(turns.down.cpu.load(Ordering::Relaxed), self.spin.is_contended());
        } else {
            self.place.seen();
        }
        Ok(())
    }

    fn tell(&mut self, stays: bool) -> io::Result<()> {
        fork::end_copy();
        let turns = self.memory.turns();
        // A job that is there already goes elsewhere: the parent does not send one before it has the verdict.
        let leaves = !stays && turns.leave(self.turn);
        if turns.tell(self.turn, !leaves) { self.ring() } else { Ok(()) }
    }
}
