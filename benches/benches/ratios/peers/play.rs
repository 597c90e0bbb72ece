//! What each part does, in the process that was started for it.

use super::role::Role;
use super::{shared_memory, socket};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::io::{self, Write};

/// Plays the part this process was started for and ends it; returns in the benchmark itself.
pub(crate) fn play() {
    let Some(role) = std::env::args().nth(1).and_then(|argument| Role::from_argument(&argument)) else { return };
    let played = match role {
        Role::FirstByte => io::stdout().write_all(b"!"),
        _ => die_with_parent().and_then(|()| match role {
            Role::Busy => busy(),
            Role::Ping => socket::answer_pings(),
            Role::Echo => socket::answer_messages(),
            Role::Shared { spin } => shared_memory::answer(spin),
            Role::FirstByte => Ok(()),
        }),
    };
    std::process::exit(i32::from(played.is_err()));
}

fn busy() -> ! {
    let mut x = 0_u64;
    loop {
        x = std::hint::black_box(x.wrapping_mul(3) + 1);
    }
}

/// However the benchmark ends, its processes end with it.
fn die_with_parent() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before that: its child then has another parent, and nothing to do here.
    if rustix::process::getppid().is_none_or(|parent| parent.is_init()) { std::process::exit(1) } else { Ok(()) }
}
