//! The fork loop: a fork server forks workers. It has one thread and never runs a job.

use crate::error::about;
use crate::job::codec;
use crate::sys::child::{Child, Extent};
use crate::sys::fd_numbers::duplicate_high;
use crate::sys::fork::Side;
use crate::sys::fork_server::{self, Program};
use crate::sys::process::ProcessHandle;
use crate::sys::socket::{self, Blocking, Socket};
use crate::sys::{lifeline, random, signals, thread};
use crate::wire::fork_server::{Ended, ForkRequest, Forked, MESSAGE, pack, unpack};
use crate::wire::frame::{self, Kind};
use crate::worker::stage::{ReadyForkServer, Stage};
use std::io::{self, Write};

/// Forks on request until the parent closes its end. If the parent only closes its sending direction, it wants no more
/// workers: the fork server goes on to report the ends of those that are left, up to the last. A worker that has got no
/// hello yet ends with the fork server, as the parent may not know of it.
pub(in crate::worker) fn fork_loop(ready: ReadyForkServer) -> io::Result<Stage> {
    Ok(match serve(&ready)? {
        Served::Requests => Stage::Over(0),
        Served::AsChild(control) => {
            // The fork server's own channel: the parent must be able to see the fork server's end.
            drop(ready);
            signals::reset();
            Stage::Forked(duplicate_high(control)?)
        }
    })
}

/// How the fork loop ends.
enum Served {
    /// In the fork server, when there are no more requests.
    Requests,
    /// In a new worker, with the connection that it is to serve.
    AsChild(Socket),
}

fn serve(ready: &ReadyForkServer) -> io::Result<Served> {
    let ReadyForkServer { alone, requests, extent, .. } = ready;
    let (server, program) = (std::process::id(), Program::of_this_process());
    let mut children: Vec<(u64, Child<ProcessHandle>)> = Vec::new();
    let mut is_retired = false;
    loop {
        let news = fork_server::wait(requests, is_retired, &program, children.iter().map(|(_, child)| child))
            .map_err(|e| about("it could not wait for the ends of its workers", e))?;
        let Some(news) = news else { continue };
        children.retain(|(id, child)| match child.try_wait(*extent) {
            Ok(None) => true,
            ended => {
                let reaped = ended.ok().flatten();
                send(requests, &pack(Kind::Ended, &Ended { id: *id, reaped }));
                false
            }
        });
        if !news.has_program {
            end(&children, *extent);
            return Ok(Served::Requests);
        }
        if is_retired && children.is_empty() {
            return Ok(Served::Requests);
        }
        if !news.has_request {
            continue;
        }
        let Some((ForkRequest { id }, control)) = receive(requests)? else {
            if news.is_cut_off || children.is_empty() {
                end(&children, *extent);
                return Ok(Served::Requests);
            }
            is_retired = true;
            continue;
        };
        // Flush, or each worker would print it again.
        let _ = io::stdout().flush();
        match alone.fork().and_then(|side| match side {
            Side::Child => Ok(None),
            Side::Parent(pid) => Child::of_fork(pid).map(Some),
        }) {
            Ok(None) => {
                lifeline::die_with_forker(server);
                random::reseed();
                thread::set_own_name(c"offproc-spare");
                return Ok(Served::AsChild(control));
            }
            Ok(Some(child)) => {
                fork_server::announce(&control, &pack(Kind::Forked, &Forked { pid: child.pid() }), &child);
                children.push((id, child));
            }
            Err(e) => {
                let mut refusal = frame::begin();
                let _ = codec::encode_to(&format!("the fork server could not fork: {e}"), &mut refusal);
                frame::finish(Kind::Refused, &mut refusal);
                send(&control, &refusal);
                send(requests, &pack(Kind::Ended, &Ended { id, reaped: None }));
            }
        }
    }
}

/// The parent has ended or needs no more workers: kills those that have never served. Where a thread of a worker kills
/// its group, that may not have come to it yet.
fn end(children: &[(u64, Child<ProcessHandle>)], extent: Extent) {
    for (_, child) in children {
        let _ = child.kill(extent);
        child.end();
    }
}

/// The next request; `None` if there will be no more.
pub(crate) fn receive(requests: &Socket) -> io::Result<Option<(ForkRequest, Socket)>> {
    let mut buffer = [0; MESSAGE];
    let Some((count, connection)) = fork_server::receive(requests, &mut buffer)? else { return Ok(None) };
    let request = unpack(&buffer[..count]).filter(|frame| frame.kind == Kind::ForkRequest);
    match (request.map(|frame| codec::decode(frame.body())), connection) {
        (Some(Ok(fork)), Some(connection)) => Ok(Some((fork, connection))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a message is not a request for a worker")),
    }
}

fn send(socket: &Socket, message: &[u8]) {
    let _ = socket::send(socket, message, Blocking::Yes);
}
