#!/usr/bin/env bash
# Puts the milter beside clamav-milter with clamd: UNIX sockets for both, the same mails, in turns in the same run.
#
#   benches/milter_peers.sh SEKISHO DRIVER MAIL…
#
# SEKISHO is a binary built by cargo build --release. DRIVER plays the MTA and is called as
# DRIVER --to unix:PATH --conns 8 --count N MAIL…; it prints its own figures. clamd gets two rules of YARA and no
# signatures, so that it has no more to search for than we have. DRIVER sends the same mails again and again, and we
# remember attachments: "anew" is the same program without that. Needs clamav-daemon and clamav-milter.
set -eu
[ $# -ge 3 ] || { sed -n 4p "$0" >&2; exit 2; }
sekisho=$1 driver=$2
shift 2
dir=$(mktemp -d)
pids=
stop() { for pid in $pids; do kill "$pid" 2>/dev/null || :; done; rm -rf "$dir"; }
trap stop EXIT
me=$(id -un)
mkdir "$dir/rules"
for name in one two; do
    printf 'rule %s { strings: $a = "nowhere-to-be-found-%s" condition: $a }\n' "$name" "$name"
done >"$dir/rules/own.yar"
cat >"$dir/clamd.conf" <<END
LocalSocket $dir/clamd.sock
DatabaseDirectory $dir/rules
Foreground yes
User $me
MaxThreads 8
AlertOLE2Macros yes
AlertEncrypted yes
END
cat >"$dir/milter.conf" <<END
MilterSocket unix:$dir/peer.sock
ClamdSocket unix:$dir/clamd.sock
Foreground yes
User $me
AddHeader Replace
END
for who in ours anew; do
    case $who in ours) remembered=64MiB ;; *) remembered=0 ;; esac
    cat >"$dir/$who.toml" <<END
[milter]
listen = "unix:$dir/$who.sock"
[scan]
max_remembered = "$remembered"
[quarantine]
path = "$dir/$who.store"
END
done
start() { "$@" >>"$dir/log" 2>&1 & pids="$pids $!"; }
# Processor time of processes so far, in hundredths of a second: what other work on the machine does not change much.
spent() { for pid in "$@"; do cat "/proc/$pid/stat"; done | awk '{ sum += $14 + $15 } END { print sum }'; }
there() { for _ in $(seq 300); do [ -S "$1" ] && return; sleep 0.1; done; cat "$dir/log" >&2; exit 1; }
start clamd -c "$dir/clamd.conf"
there "$dir/clamd.sock"
start clamav-milter -c "$dir/milter.conf"
peer=$pids
start "$sekisho" -c "$dir/ours.toml" serve
ours=$!
start "$sekisho" -c "$dir/anew.toml" serve
anew=$!
count=3000
there "$dir/peer.sock"
there "$dir/ours.sock"
there "$dir/anew.sock"
for round in 1 2 3; do
    for who in ours anew peer; do
        printf '%s, round %s\n' "$who" "$round"
        case $who in ours) of=$ours ;; anew) of=$anew ;; *) of=$peer ;; esac
        # shellcheck disable=SC2086
        before=$(spent $of)
        "$driver" --to "unix:$dir/$who.sock" --conns 8 --count $count "$@"
        # shellcheck disable=SC2086
        printf 'processor time: %s us a message\n' $((($(spent $of) - before) * 10000 / count))
    done
done
# shellcheck disable=SC2086
ps -o comm=,rss=,time= -p $(printf '%s' "${pids# }" | tr ' ' ',')
