//! The handshake with a launched process, until it is ready or the start timeout passes.

use super::channel::event::poll_until_exit;
use super::channel::new_shm::NewShm;
use super::channel::parent_channel::ParentChannel;
use super::channel::stream::{FrameEvent, ParentStream};
use super::launch::launcher::{KillGuard, Launched};
use super::launch::permit::LaunchPermit;
use super::link::Link;
use super::runtime::RuntimeSelector;
use super::start_failure::StartFailure;
use super::timer::sleep;
use super::worker::Worker;
use crate::error::{Error, Phase};
use crate::job::codec;
use crate::job::message::Failure;
use crate::settings::Settings;
use crate::sys::child::Child;
use crate::sys::executable;
use crate::sys::image::Image;
use crate::sys::lifeline::ParentEnd;
use crate::sys::rights::Rights;
use crate::wire::fork_server::Forked;
use crate::wire::frame::{Frame, Kind};
use crate::wire::hello::Welcome;
use futures_lite::future;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The largest frame from a worker, in bytes: room for an answer whose result just fits.
fn limit(settings: &Settings) -> usize {
    const SLACK: usize = 4096;
    settings.transport.max_message_size.saturating_add(SLACK)
}

/// A process that has sent that it is ready.
pub(crate) struct PendingWorker {
    launched: PendingProcess,
    /// It was forked before the call that it is for.
    is_spare: bool,
    permit: Option<LaunchPermit>,
    channel: ParentStream,
}

struct PendingProcess {
    process: KillGuard,
    lifeline: ParentEnd,
    rights: Option<Arc<Rights>>,
    link: Option<Arc<Link>>,
}

impl PendingWorker {
    pub(super) fn into_worker(self, settings: &Settings, shared: Option<NewShm>) -> Worker {
        let Self { launched: PendingProcess { process, lifeline, rights, link }, channel, .. } = self;
        let channel: Box<dyn ParentChannel> = match shared {
            Some(shared) => shared.into_channel(channel, limit(settings), !settings.transport.max_spin.is_zero()),
            None => Box::new(channel),
        };
        let mut worker = Worker::new(process, channel, lifeline, rights, settings);
        worker.set_link(link);
        worker
    }

    /// A fork server, which takes no jobs.
    pub(crate) fn into_fork_server(self, settings: &Settings) -> Worker {
        self.into_worker(settings, None)
    }
}

/// Sends a launched process its hello and waits until it is ready.
pub(crate) async fn handshake(
    launched: Launched,
    hello: Vec<u8>,
    settings: &Settings,
    runtime: &RuntimeSelector,
) -> Result<PendingWorker, StartFailure> {
    let Launched { process, control, lifeline, gifts, rights, permit, is_spare, link, .. } = launched;
    let mut channel = ParentStream::new(control, hello, gifts, limit(settings));
    if link.is_some() {
        channel.set_over_link();
    }
    let mut pending =
        PendingWorker { launched: PendingProcess { process, lifeline, rights, link }, is_spare, permit, channel };
    let process = Arc::clone(&pending.launched.process.0);
    let deadline = async {
        sleep(settings.start.start_timeout).await;
        Err(StartFailure::fatal(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "the worker was not ready within {:?} (the context's `start_timeout`) and was killed {}",
                settings.start.start_timeout,
                process.phase()
            ),
        )))
    };
    future::or(pending.shake_hands(runtime), deadline).await?;
    Ok(pending)
}

/// How many frames a handshake has: `Welcome`, `MakesState`, `Sandboxes`, `Ready`, and `Forked`.
const MAX_FRAMES: u32 = 5;

impl PendingWorker {
    async fn shake_hands(&mut self, runtime: &RuntimeSelector) -> Result<(), StartFailure> {
        let (mut is_ready, mut received, mut has_hung_up) = (false, 0, false);
        while !is_ready || !self.launched.process.0.is_known() {
            match poll_fn(|cx| self.poll_frame(&mut has_hung_up, cx, runtime)).await {
                // A flood of them would keep this thread for ever.
                FrameEvent::Frame(_) if received == MAX_FRAMES => {
                    return Err(refused("it sent too many messages before it was ready"));
                }
                FrameEvent::Frame(frame) => {
                    is_ready |= self.receive(&frame)?;
                    received += 1;
                }
                FrameEvent::Violation(what) => {
                    return Err(refused(&format!("its message could not be received: {what}")));
                }
                FrameEvent::NotSent(e) => {
                    let reason = format!("the program's first message could not be sent to it: {e}");
                    return Err(StartFailure::fatal(io::Error::other(reason)));
                }
                FrameEvent::HungUp | FrameEvent::NotTaken => {
                    let process = &self.launched.process.0;
                    poll_fn(|cx| process.poll_end_or_loss(cx)).await;
                    if process.is_unannounced() {
                        // It may live, but its process id is unknown. Closing its lifeline ends it.
                        process.record_end(None);
                    }
                    return Err(if process.is_known() {
                        StartFailure::of_death(process.error())
                    } else {
                        StartFailure::lost_spare(process.error())
                    });
                }
            }
        }
        // No other descriptors come with these frames.
        self.channel.take_descriptors();
        Ok(())
    }

    /// True when the worker is ready.
    fn receive(&mut self, frame: &Frame) -> Result<bool, StartFailure> {
        match frame.kind {
            Kind::Welcome | Kind::Ready => {
                let welcome = codec::decode::<Welcome>(frame.body());
                match welcome {
                    Ok(welcome) if welcome.build == Image::current().build() => {
                        self.launched.process.0.set_inherited_memory(welcome.inherited_memory);
                    }
                    _ => return Err(refused(ANOTHER_BUILD)),
                }
                self.launched.process.0.set_phase(Phase::Init);
                self.permit = None;
                return Ok(frame.kind == Kind::Ready);
            }
            Kind::MakesState => self.launched.process.0.set_phase(Phase::State),
            Kind::Sandboxes => self.launched.process.0.set_phase(Phase::Sandbox),
            // From the fork server; its frame and the worker's may arrive in any order.
            Kind::Forked => {
                let (forked, pidfd) = (codec::decode::<Forked>(frame.body()), self.channel.take_descriptor());
                let lifeline = Box::new(self.launched.lifeline.downgrade());
                match forked.ok().and_then(|forked| Child::of_another(forked.pid, pidfd, lifeline)) {
                    Some(child) => self.launched.process.0.arrived(child),
                    None => return Err(refused("the fork server did not send its process id and pidfd")),
                }
            }
            Kind::Failed => {
                let failure = codec::decode::<Failure>(frame.body());
                return Err(failure.map_or_else(Error::Decode, Error::from).into());
            }
            Kind::Refused => {
                let reason = codec::decode::<String>(frame.body());
                let failure = refused(&reason.unwrap_or_else(|e| e.to_string()));
                return Err(if self.is_spare { StartFailure::refused_spare(failure) } else { failure });
            }
            kind => return Err(refused(&format!("its first message is of the unexpected kind {kind:?}"))),
        }
        Ok(false)
    }

    fn poll_frame(
        &mut self,
        has_hung_up: &mut bool,
        cx: &mut Context<'_>,
        runtime: &RuntimeSelector,
    ) -> Poll<FrameEvent> {
        let process = &self.launched.process.0;
        poll_until_exit(
            &mut self.channel,
            has_hung_up,
            cx,
            |channel, cx| channel.poll_frame(cx, runtime),
            |cx| process.poll_end_or_loss(cx),
            ParentStream::last_frame,
        )
    }
}

const ANOTHER_BUILD: &str = "it is of another build of the program: the executable has been replaced while the program \
    runs; start the program anew";

fn refused(reason: &str) -> StartFailure {
    let name = executable::name();
    StartFailure::fatal(io::Error::other(format!(
        "the process started from {} is not a worker: {reason}",
        name.display()
    )))
}
