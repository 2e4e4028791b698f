#!/usr/bin/env bash
# Makes the target directory that several checkouts share this one's. Part of `make setup`.
#
# Cargo tells whether one of the workspace's crates is up to date by the age of its files, not by where they are. What
# another checkout built last would be taken for this one's: its code, and its paths. So that goes first; what was built
# of the dependencies stays.
set -euo pipefail

mark=$CARGO_TARGET_DIR/checkout
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
[[ ! -f $mark || $(<"$mark") != "$root" ]] || exit 0
if [[ -d $CARGO_TARGET_DIR/release ]]; then
    "${CARGO:-cargo}" clean --quiet --release --workspace --locked --manifest-path "$root/Cargo.toml"
fi
mkdir -p "$CARGO_TARGET_DIR"
echo "$root" >"$mark"
