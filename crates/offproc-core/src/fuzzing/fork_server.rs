//! A parent and a fork server, with hostile messages on the connection for requests.

use super::script::Script;
use crate::job::codec;
use crate::sys::pairs;
use crate::wire::fork_server::{Ended, MESSAGE, unpack};
use crate::wire::frame::Kind;
use crate::worker::forking::fork_loop::receive;
use rustix::net::{RecvFlags, Shutdown};

/// The script is the other side's messages, half of them to each.
#[doc(hidden)]
pub fn fork_server(data: &[u8]) {
    let mut script = Script::new(data);
    let Ok((parent, server)) = pairs::message_pair() else { return };
    let mut sent = 0;
    while let Some(step) = script.byte() {
        script.say(if step & 1 == 0 { &parent } else { &server });
        sent += 1;
    }
    let _ = rustix::net::shutdown(&parent, Shutdown::Both);
    let mut buffer = [0; MESSAGE];
    for _ in 0..sent {
        let Ok((count, _)) = rustix::net::recv(&parent, &mut buffer[..], RecvFlags::DONTWAIT) else { break };
        if let Some(frame) = unpack(&buffer[..count]).filter(|frame| frame.kind == Kind::Ended) {
            let _ = codec::decode::<Ended>(frame.body()).map(|ended| (ended.id, ended.reaped.map(|how| how.status())));
        }
    }
    let Ok(server) = server.into_owned() else { return };
    for _ in 0..sent {
        if !matches!(receive(&server), Ok(Some(_))) {
            break;
        }
    }
}
