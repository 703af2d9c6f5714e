#!/usr/bin/env bash
# A door on a machine of its own: two network namespaces, a server that Sesame guards and a
# visitor who knocks. It touches nothing of this machine's own network, and removes all it made.
# Run it with make demo, as root.
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

bold='' green='' red='' dim='' plain=''
if [ -t 1 ]; then
	bold=$'\033[1m' green=$'\033[32m' red=$'\033[31m' dim=$'\033[2m' plain=$'\033[0m'
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { # show HOST COMMAND
	printf '%s%s$%s %s\n' "$dim" "$1" "$plain" "$2"
}
fail() {
	printf 'The demo failed: %s\n' "$*" >&2
	cat "$dir/log" >&2 || true
	exit 1
}

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
ip -n $visitor addr add 198.51.100.10/24 dev eth0 # somebody who does not knock

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
	ip netns exec $server ./sesame run -s "$dir/scripts" --state "$dir/state" \
		--socket "$dir/socket" >>"$dir/log" 2>&1 &
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
is_open() { # is_open SOURCE
	ip netns exec $visitor timeout 0.5 nc -z -s "$1" 198.51.100.1 22 2>/dev/null
}
expect() { # expect open|closed SOURCE...
	local want=$1 is colour source
	shift
	for source; do
		is=closed colour=$red
		if is_open "$source"; then is=open colour=$green; fi
		printf '%-15s tcp/22 is %s%s%s\n' "$source" "$colour" "$is" "$plain"
		[ "$is" = "$want" ] || fail "expected tcp/22 to be $want for $source"
	done
}
visitor_address=198.51.100.9 other_address=198.51.100.10
knock() {
	show visitor "knock 198.51.100.1 tcp/7421 udp/9133 tcp/2904"
	ip netns exec $visitor ./knock 198.51.100.1 tcp/7421 udp/9133 tcp/2904
	sleep 0.2
}
until is_open $visitor_address; do sleep 0.1; done

say 'A machine with an open port, and the rules for it:'
cat "$dir/scripts/demo.lua"
expect open $visitor_address $other_address

say 'Sesame runs. The port is closed to everybody.'
show server "sesame run -s scripts"
start
expect closed $visitor_address $other_address

say 'The visitor knocks. The port opens for the visitor alone, for three seconds.'
knock
expect open $visitor_address
expect closed $other_address
show server "sesame grants"
./sesame grants --socket "$dir/socket"
show visitor "sleep 3"
sleep 3.2
expect closed $visitor_address

say 'The daemon is killed while the port is open. The kernel closes the port all the same.'
knock
expect open $visitor_address
show server "kill -9 $daemon; sleep 3"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
sleep 3.2
expect closed $visitor_address

say 'The daemon starts again. A recording of what it saw is replayed: the decisions are the same.'
show server "sesame run -s scripts"
start
knock
expect open $visitor_address
show server "sesame record demo.pcapng; sesame simulate demo.pcapng"
./sesame record --socket "$dir/socket" "$dir/demo.pcapng" >/dev/null 2>&1
./sesame events --json --socket "$dir/socket" >"$dir/live.jsonl"
./sesame simulate --format jsonl "$dir/demo.pcapng" 2>/dev/null |
	grep -v '"event":"summary"' >"$dir/replayed.jsonl"
./sesame simulate "$dir/demo.pcapng"
cmp "$dir/live.jsonl" "$dir/replayed.jsonl" || fail "the replay decides otherwise"
say 'The transcripts of the live run and of its replay are the same, byte for byte.'
