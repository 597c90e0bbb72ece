#!/usr/bin/env bash
# Workers behind what is there to start them on other machines: ssh, bubblewrap, and a Slurm of two nodes, one of which
# is lost. As root, with the packages openssh-server, openssh-client, bubblewrap, slurmctld, slurmd, slurm-client, munge
# and iproute2.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=$(cargo test --quiet --workspace --test remote --no-run --message-format=json |
    sed -n 's/.*"name":"remote".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
run() {
    echo "+ $*"
    timeout 300 "$@"
}
run tests/cluster/sshd "$tests" engines::ssh engines::bwrap
# A Slurm of its own for each: a node that was lost stays so for a while.
for name in runs_on_both_nodes loses_a_cable loses_a_node; do
    run tests/cluster/slurm "$tests" "engines::slurm_$name"
done
