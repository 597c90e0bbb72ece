//! Frames, as far as shared memory has them: a kind and a body.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Attached = 4,
    Done = 19,
    Failed = 20,
    Stays = 21,
    Leaves = 22,
    Items = 27,
    LastItems = 28,
    LastWithState = 30,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        use Kind::{Attached, Done, Failed, Items, LastItems, LastWithState, Leaves, Stays};
        [Attached, Done, Failed, Stays, Leaves, Items, LastItems, LastWithState]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    pub(crate) fn is_of_chunk(self) -> bool {
        self.answers_chunk()
    }

    pub(crate) fn answers_chunk(self) -> bool {
        matches!(self, Self::Items | Self::LastItems | Self::LastWithState)
    }
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) fn of_body(kind: Kind, body: Vec<u8>) -> Self {
        Self { kind, body }
    }

    pub(crate) fn no_memory(_what: &str, _length: usize) -> Self {
        unimplemented!("there is memory for a byte")
    }
}

pub(crate) fn begin() -> Vec<u8> {
    Vec::new()
}

pub(crate) fn finish(_kind: Kind, _buffer: &mut [u8]) {
    unimplemented!("nothing goes with a job")
}
