#!/usr/bin/env bash
# Hosts, launchers, containers, limits and tools, each tried with a program that uses the whole of offproc once
# (`environments/src/probe.rs`). docs/environments.md has the results, for users. What the machine lacks is skipped. An
# argument is a pattern for the names of those to try.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
only=${1:-.}
cargo build --quiet --manifest-path "$root/Cargo.toml" -p offproc-environments || exit 1

# Copies that all users may read and run, whichever user owns the checkout.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
probe=$scratch/environments-probe
plugin=$scratch/libenvironments_plugin.so
cp "$target/debug/environments-probe" "$target/debug/libenvironments_plugin.so" "$scratch/"
gcc -o "$scratch/host" "$root/tests/environments/host.c" -ldl 2> /dev/null
cd "$scratch" || exit 1
: > seen

tried=0 failures=()
fails() { # NAME WHY: what the setting printed is in `seen`
    printf '%-44s FAILED: %s\n' "$1" "$2"
    sed 's/^/    /' seen | tail -n 40
    failures+=("$1")
}
# Whether it is to be tried, and there. TOOLS is a list of commands; "-" for none.
wanted() { # NAME TOOLS
    [[ $1 =~ $only ]] || return 1
    local tool
    for tool in ${2/#-/}; do
        if ! command -v "$tool" > /dev/null; then
            printf '%-44s skipped: there is no %s\n' "$1" "$tool"
            return 1
        fi
    done
    tried=$((tried + 1))
}
# Runs it for a minute at most; its output goes to `seen`. No process of the probe may be left afterwards.
attempt() { # NAME COMMAND…
    local name=$1 left
    shift
    timeout --foreground --kill-after=5 "${ENVIRONMENTS_TIMEOUT:-60}" "$@" > seen 2>&1 < /dev/null
    status=$?
    left=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$probe*" 2> /dev/null)
    for _ in {1..50}; do # a worker is gone a moment after the program
        [ -z "$left" ] && return 0
        sleep 0.1
        left=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$probe*" 2> /dev/null)
    done
    fails "$name" "processes are left: $left"
    return 1
}
# All ten parts of the probe are well, or as many as `parts` says where only some are asked for.
well() { # NAME TOOLS COMMAND…
    local name=$1 tools=$2 ok
    shift 2
    wanted "$name" "$tools" && attempt "$name" "$@" || return 0
    ok=$(grep -ac ': ok' seen)
    if [ "$ok" = "${parts:-10}" ] && [ "$status" = 0 ]; then
        printf '%-44s all is well\n' "$name"
    else
        fails "$name" "$ok of ${parts:-10} parts are well, exit code $status"
    fi
}
# Something else is to be seen, and documented: the output has PATTERN.
shows() { # NAME TOOLS PATTERN COMMAND…
    local name=$1 tools=$2 pattern=$3
    shift 3
    wanted "$name" "$tools" && attempt "$name" "$@" || return 0
    if grep -aqE "$pattern" seen; then
        printf '%-44s as documented: %s\n' "$name" "$(grep -aEm1 "$pattern" seen)"
    else
        fails "$name" "nothing says '$pattern', exit code $status"
    fi
}
root() { [ "$(id -u)" = 0 ]; }

### Hosts: offproc is in a shared library, which the executable of another language loads.

cat > host.py <<'PYTHON'
import ctypes, sys
print("the host's main", flush=True)
library = ctypes.CDLL(sys.argv[1])
if len(sys.argv) > 2:
    library.environments_init()
said = ctypes.create_string_buffer(4096)
library.environments_call(said, ctypes.c_size_t(4096))
print(said.value.decode())
PYTHON
for host in "C program" "Python"; do
    case $host in
        "C program") command=("$scratch/host" "$plugin") tool=gcc ;;
        "Python") command=(python3 host.py "$plugin") tool=python3 ;;
    esac
    shows "host: $host" "$tool" "shared library" "${command[@]}"
    shows "host: $host, offproc::init() called" "$tool" "shared library" "${command[@]}" init
    [ "$(grep -c "the host's main" seen)" -le 1 ] || fails "host: $host" "the host was started more than once"
done
if [ -r /usr/include/node/node_api.h ] && gcc -shared -fPIC -I/usr/include/node -o addon.node \
    "$root/tests/environments/addon.c" -ldl 2> /dev/null; then
    ENVIRONMENTS_PLUGIN=$plugin shows "host: Node" node "shared library" \
        node -e 'console.log(require("./addon.node").call())'
fi

### Launchers.

well "launcher: a shell" - "$probe"
well "launcher: env -i" - env -i "$probe"
well "launcher: as cron does" - env -i HOME=/ SHELL=/bin/sh PATH=/usr/bin:/bin LOGNAME=root /bin/sh -c "$probe"
well "launcher: nohup" nohup nohup "$probe"
well "launcher: setsid" setsid setsid --wait "$probe"
well "launcher: timeout" timeout timeout 50 "$probe"
well "launcher: xargs" xargs sh -c ": | xargs $probe"
well "launcher: nice, ionice, taskset" "nice ionice taskset" nice -n 5 ionice -c 3 taskset -c 0 "$probe"
well "launcher: flock" flock flock lock "$probe"
well "launcher: script (a terminal)" script script -qec "$probe" /dev/null
well "launcher: another argv[0]" - bash -c "exec -a '' $probe"
well "launcher: a symbolic link" - sh -c "ln -sf $probe link; ./link"
well "launcher: sudo" sudo sudo -n "$probe"
if root; then
    well "launcher: su" su su -s /bin/sh nobody -c "$probe"
    well "launcher: setpriv to another user" setpriv \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$probe"
    well "launcher: setpriv --no-new-privs" setpriv setpriv --no-new-privs "$probe"
    well "launcher: without capabilities" setpriv setpriv --bounding-set -all --inh-caps -all "$probe"
fi
well "launcher: tini" tini tini -s -- "$probe"
well "launcher: a variable that is not UTF-8" - env "ODD=$(printf '\377')" LC_ALL=C "$probe"
well "launcher: standard streams closed" - sh -c "$probe > all <&- 2>&-; cat all"
well "launcher: nothing but stdout, and that a pipe" - sh -c "$probe <&- 2>&- | cat"
well "launcher: in a directory that is gone" - sh -c "mkdir gone; cd gone; rmdir ../gone; $probe"
well "launcher: the executable is removed" - sh -c "cp $probe $probe-2; $probe-2 & sleep 0; rm -f $probe-2; wait \$!"
tmux_probe() {
    tmux -L "offproc-$$" new-session -d "$probe > in-tmux 2>&1; echo \$? > in-tmux.status"
    for _ in {1..300}; do [ -s in-tmux.status ] && break; sleep 0.1; done
    tmux -L "offproc-$$" kill-server 2> /dev/null
    cat in-tmux
}
export -f tmux_probe; export probe
well "launcher: tmux" tmux bash -c tmux_probe
well "launcher: screen" screen bash -c \
    "screen -DmL -Logfile in-screen $probe; until [ \$(grep -c : in-screen) = 10 ]; do sleep 0.1; done; cat in-screen"
well "launcher: expect's unbuffer" unbuffer unbuffer "$probe"
well "launcher: GNU parallel" parallel sh -c "echo . | parallel -n 0 $probe"
if [ -d /run/systemd/system ]; then
    well "launcher: systemd-run" systemd-run systemd-run --quiet --wait --pipe "$probe"
fi

### Containers.

if root && unshare -m true 2> /dev/null; then
    well "container: PID namespace with its /proc" unshare unshare --pid --fork --mount-proc "$probe"
    well "container: PID 1 itself" unshare unshare --pid --fork --mount-proc sh -c "exec $probe"
    well "container: tini as PID 1" "unshare tini" unshare --pid --fork --mount-proc tini -- "$probe"
    well "container: PID namespace, /proc of the host" unshare unshare --pid --fork "$probe"
    well "container: user namespace" unshare unshare --user --map-root-user "$probe"
    well "container: network, IPC, UTS, cgroup" unshare unshare --net --ipc --uts --cgroup "$probe"
    well "container: no /proc" unshare unshare --mount sh -c "mount -t tmpfs none /proc && $probe"
    well "container: read-only root" unshare unshare --mount \
        sh -c "mount --make-rprivate / && mount -o remount,bind,ro / && cd / && $probe"
    well "container: /dev without anything" unshare unshare --mount sh -c "mount -t tmpfs none /dev && $probe"
    well "container: /dev/shm without execution" unshare unshare --mount \
        sh -c "mount -t tmpfs -o noexec none /dev/shm && $probe"
    # Nothing but the program and its libraries.
    mkdir -p jail && for file in "$probe" $(ldd "$probe" | grep -oE '/[^ ]+'); do
        mkdir -p "jail$(dirname "$file")" && cp -L "$file" "jail$file"
    done
    well "container: chroot with the program alone" chroot chroot jail "$probe"
fi
well "container: bwrap, all namespaces" bwrap bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all "$probe"
well "container: bwrap, PID 1 itself" bwrap \
    bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all --as-pid-1 "$probe"

### Limits.

limited() { # NAME ULIMIT…: all is well with it
    well "limit: ulimit $*" - bash -c "ulimit $* && exec $probe"
}
limited -n 64
limited -n 24
limited -v 4000000
limited -v 500000
limited -s 256
limited -s unlimited
limited -c 0
limited -l 0
limited -f unlimited
limited -q 0
limited -i 0
if root; then
    well "limit: 40 processes of the user" setpriv \
        setpriv --reuid 64999 --regid 64999 --clear-groups bash -c "ulimit -u 40 && exec $probe"
    shows "limit: 1 process of the user" setpriv "value: .*(unavailable|thread|process)" \
        setpriv --reuid 64998 --regid 64998 --clear-groups bash -c "ulimit -u 1 && exec $probe value"
fi
shows "limit: ulimit -n 5" - "value: .*(file|descriptor)" bash -c "ulimit -n 5 && exec $probe value"
well "limit: ulimit -f 0" - sh -c "bash -c 'ulimit -f 0 && exec $probe' | cat"

### System calls that a filter refuses, as containers do it: EPERM, or ENOSYS as if the kernel were older.

gcc -o deny "$root/tests/environments/deny.c" 2> /dev/null
number() {
    printf '#include <sys/syscall.h>\nSYS_%s\n' "$1" | gcc -E -xc - 2> /dev/null | tail -n 1
}
for errno in 1 38; do
    for call in eventfd2 sched_yield getcpu sched_getaffinity sched_setaffinity mremap statx getrandom prlimit64 \
        setpriority membarrier rseq close_range memfd_create ftruncate prctl; do
        well "filter: $call, error $errno" gcc "$scratch/deny" $errno "$(number $call)" "$probe"
    done
    for call in pidfd_open socketpair sendmsg recvmsg ppoll; do
        shows "filter: $call, error $errno" gcc \
            "value: a worker could not be started: .*(os error $errno|not received)" \
            "$scratch/deny" $errno "$(number $call)" "$probe" value
    done
done
# As the filters of older container tools, which do not know it.
well "filter: clone3, error 38" gcc "$scratch/deny" 38 "$(number clone3)" "$probe"

### Tools.

well "tool: gdb" gdb gdb -q -batch -ex run -ex "quit \$_exitcode" "$probe"
well "tool: strace -f" strace strace -f -o /dev/null "$probe"
well "tool: ltrace" ltrace sh -c "ltrace -f -o /dev/null -e getenv $probe"
# Valgrind 3.19 does not know `pidfd_open`; one that does has to get a result.
ENVIRONMENTS_TIMEOUT=180 shows "tool: valgrind" valgrind "value: (ok|.*pidfd_open)" \
    valgrind -q --trace-children=yes "$probe" value
well "tool: perf stat" perf perf stat -o /dev/null "$probe"
well "tool: perf record" perf perf record -q -o perf.data "$probe"
well "tool: heaptrack" heaptrack sh -c "heaptrack -o trace $probe"
well "tool: LD_PRELOAD of a library" gcc sh -c \
    "echo 'int nothing;' | gcc -shared -xc - -o preloaded.so && LD_PRELOAD=$scratch/preloaded.so $probe"
for preloading in fakeroot "faketime --exclude-monotonic 1999-12-31" eatmydata "stdbuf -o0" "proot" "qemu-x86_64"; do
    # shellcheck disable=SC2086 # one word an option
    well "tool: $preloading" "${preloading%% *}" $preloading "$probe"
done
well "tool: LD_BIND_NOW, LD_DEBUG" - \
    env LD_BIND_NOW=1 LD_DEBUG=statistics LD_DEBUG_OUTPUT="$scratch/debug" "$probe"
well "tool: glibc's malloc checks" - \
    env MALLOC_PERTURB_=85 GLIBC_TUNABLES=glibc.malloc.tcache_count=0 "$probe"
loader=$(ldd "$probe" | grep -oE '/[^ ]*ld-linux[^ ]*' | head -n 1)
if [ -n "$loader" ]; then
    well "tool: the dynamic loader as launcher" - "$loader" "$probe"
fi
well "tool: setarch -R (no address randomisation)" setarch setarch -R "$probe"

printf '\n%s environments were tried, %s failed\n' "$tried" "${#failures[@]}"
[ ${#failures[@]} = 0 ]
