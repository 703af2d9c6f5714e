#!/usr/bin/env bash
# A door on a machine of its own: two network namespaces, a server that Sesame guards and a visitor who knocks. Nothing of this
# machine's own network is touched, and all of it is gone afterwards. Run it with make demo, as root.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
server=sesame-demo-server visitor=sesame-demo-visitor
pids=()
finish() {
	kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	ip netns delete $server 2>/dev/null || true
	ip netns delete $visitor 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
fail() { printf 'The demo failed: %s\n' "$*" >&2; cat "$dir/log" >&2 || true; exit 1; }

ip netns delete $server 2>/dev/null || true
ip netns delete $visitor 2>/dev/null || true
ip netns add $server
ip netns add $visitor
ip link add eth0 netns $server type veth peer name eth0 netns $visitor
for host in $server $visitor; do
	ip -n $host link set lo up
	ip -n $host link set eth0 up
done
ip -n $server addr add 198.51.100.1/24 dev eth0
ip -n $visitor addr add 198.51.100.9/24 dev eth0

# The daemon's socket and state lie in the demo's own directory.
mkdir "$dir/scripts"
cat >"$dir/scripts/demo.lua" <<'LUA'
sesame.door "demo" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904" },
  within   = "5s",
  guards   = "tcp/22",
  ttl      = "3s",
}
LUA
start() {
	ip netns exec $server ./sesame run -s "$dir/scripts" --state "$dir/state" --socket "$dir/socket" >>"$dir/log" 2>&1 &
	daemon=$!
	pids+=("$daemon")
	for _ in {1..100}; do
		./sesame status --socket "$dir/socket" >/dev/null 2>&1 && return
		sleep 0.1
	done
	fail "the daemon does not answer"
}
# Somebody must listen behind the door: Bash cannot, nc can.
ip netns exec $server nc -lk 198.51.100.1 22 >/dev/null 2>&1 &
pids+=("$!")
is_open() { ip netns exec $visitor timeout 0.5 bash -c 'exec 3<>/dev/tcp/198.51.100.1/22' 2>/dev/null; }
expect() {
	local is=closed
	is_open && is=open
	printf 'tcp/22 is %s\n' "$is"
	[ "$is" = "$1" ] || fail "expected it to be $1"
}
knock() {
	show "knock 198.51.100.1 tcp/7421 udp/9133 tcp/2904"
	ip netns exec $visitor ./knock 198.51.100.1 tcp/7421 udp/9133 tcp/2904
}
until is_open; do sleep 0.1; done

say 'A machine with an open port, and this script:'
cat "$dir/scripts/demo.lua"
expect open

say 'Sesame runs: the port is shut to everyone.'
show "sesame run -s scripts"
start
expect closed

say 'The visitor knocks, and it is open; for the visitor alone, and for three seconds.'
knock
sleep 0.2
expect open
show "sesame grants"
./sesame grants --socket "$dir/socket"
sleep 3.2
expect closed

say 'The daemon is killed while the port is open: the kernel closes it all the same.'
knock
sleep 0.2
expect open
show "kill -9"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
sleep 3.2
expect closed

say 'It starts again, and goes on. What it has heard since can be replayed, with the same verdict:'
start
knock
sleep 0.2
expect open
show "sesame record demo.pcapng; sesame simulate demo.pcapng"
./sesame record --socket "$dir/socket" "$dir/demo.pcapng" 2>/dev/null
./sesame events --json --socket "$dir/socket" >"$dir/live.jsonl"
./sesame simulate --format jsonl "$dir/demo.pcapng" 2>/dev/null | grep -v '"event":"summary"' >"$dir/replayed.jsonl"
./sesame simulate "$dir/demo.pcapng"
cmp "$dir/live.jsonl" "$dir/replayed.jsonl" || fail "the replay decides otherwise"
say 'The transcripts of the live run and of its replay are the same, byte for byte.'
