//! Where results are written to.

use super::attachments::{Incoming, Outgoing};
use crate::wire::writer::Writer;
use std::io;

pub(crate) trait ResultRoom {
    fn outgoing(&self, incoming: &mut Incoming) -> Outgoing;
    fn begin(&mut self, limit: usize) -> io::Result<Writer<'_>>;
    fn resume(&mut self, written: usize, more: usize) -> io::Result<Writer<'_>>;
    fn publish(&mut self, written: usize) -> io::Result<usize>;
    fn is_withdrawn(&mut self) -> bool;
}
