//go:build linux

package e2e

import (
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/livetest"
)

// shipped returns the text of a script that comes with the program.
func shipped(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sweep returns a knock on each port from first to last, or down when last is lower, with each
// protocol.
func sweep(source netip.Addr, first, last int, udp ...bool) iter.Seq[livetest.Knock] {
	step := 1
	if last < first {
		step = -1
	}
	return func(yield func(livetest.Knock) bool) {
		for port := first; port != last+step; port += step {
			for _, u := range udp {
				if !yield(livetest.Knock{Source: source, UDP: u, Port: uint16(port)}) {
					return
				}
			}
		}
	}
}

// TestRealSweeps sends sweeps of all ports as fast as one processor can, each from a source of its
// own: up and down, both protocols by turns, and two times without a pause. No sweep may open a
// door that is shipped. Who knocks honestly gets in afterwards. SESAME_SWEEPS is the last port of
// all sweeps but the first (default 10000, which is beyond all ports of the door).
func TestRealSweeps(t *testing.T) {
	top := fromEnvironment(t, "SESAME_SWEEPS", 10_000)
	w := newWorld(t, map[string]string{"ssh.lua": shipped(t, "ssh.lua")})
	w.start()
	for i, sweeps := range [][]iter.Seq[livetest.Knock]{
		{sweep(livetest.Source4(0), 1, 65535, false, true)},
		{sweep(livetest.Source4(1), top, 1, true, false)},
		{sweep(livetest.Source4(2), 1, top, false, true), sweep(livetest.Source4(2), 1, top, false, true)},
	} {
		for _, one := range sweeps {
			if _, _, err := w.sender.Send(t.Context(), one, 0); err != nil {
				t.Fatal(err)
			}
		}
		if grants := w.grants(); len(grants) > 0 {
			t.Errorf("sweep %d opened: %+v", i+1, grants)
		}
	}
	w.knock("tcp/7421", "udp/9133", "tcp/2904", "tcp/6117")
	w.opens(ssh4)
	// What was still queued has been judged before the honest knocks.
	for _, grant := range w.grants() {
		if grant.Source.Addr() != w.net.Client.IPv4.Addr() {
			t.Errorf("a sweep opened: %+v", grant)
		}
	}
	if opens := w.status().Counts.Opens; opens != 1 {
		t.Errorf("%d openings: expected one, of the honest knocks", opens)
	}
}

// TestRealJunk sends junk, at most 5,000 datagrams a second, at a door that one datagram opens.
// Half of it has one byte, half of it is like tokens, each from another source. Twenty people with
// a token come amid it, and get in at the first try. Before the next one comes, the daemon has
// judged what was sent: a busy machine then takes longer, and loses nothing.
func TestRealJunk(t *testing.T) {
	const people, junk, rate = 20, 1_000, 5_000
	var tokens strings.Builder
	for i := range people {
		fmt.Fprintf(&tokens, "  [%q] = true,\n", token(i))
	}
	const first = `  ["maple-otter-3168"] = true,` + "\n"
	script := strings.Replace(shipped(t, "beacon.lua"), first, tokens.String(), 1)
	if !strings.Contains(script, token(0)) {
		t.Fatalf("beacon.lua has no line %q", first)
	}
	w := newWorld(t, map[string]string{"beacon.lua": script})
	w.start()
	for i := range people {
		before := w.status().Counts.Packets
		sent, _, err := w.sender.Send(t.Context(), amidJunk(i, junk), rate)
		if err != nil {
			t.Fatal(err)
		}
		w.eventually("all is judged", func() bool { return w.status().Counts.Packets >= before+sent })
		w.eventually(fmt.Sprintf("person %d has a grant", i+1), func() bool { return len(w.grants()) == i+1 })
	}
	w.nothingWrong()
}

// amidJunk yields junk datagrams, and in the middle of them the one of a person.
func amidJunk(person, junk int) iter.Seq[livetest.Knock] {
	return func(yield func(livetest.Knock) bool) {
		for i := range junk {
			n := person*junk + i
			k := livetest.Knock{Source: livetest.Source4(n * 7919 % livetest.MaxSource4), UDP: true, Port: 62201}
			if i%2 == 1 {
				k.Payload = fmt.Sprintf("SESA%016d", n)
			}
			if i == junk/2 {
				k = livetest.Knock{Source: livetest.Source6(person), UDP: true, Port: 62201, Payload: "SESA" + token(person)}
			}
			if !yield(k) {
				return
			}
		}
	}
}

// token returns one of sixteen characters.
func token(i int) string { return fmt.Sprintf("token-of-man-%03d", i) }

// TestRealNmap scans a guarded port with a service, a guarded one without and a closed one that
// nobody guards. No kind of scan may tell them apart, with the reason and the TTL that nmap shows.
// After the knocks the first one is seen.
func TestRealNmap(t *testing.T) {
	w := newWorld(t, map[string]string{
		"ssh.lua":    longDoor,
		"telnet.lua": strings.NewReplacer(`"ssh"`, `"telnet"`, "tcp/22", "tcp/23", "7421", "7422").Replace(longDoor),
	})
	w.start()
	scan := func(kind string, address string) (lines []string) {
		argv := []string{"nmap", "-n", "-Pn", "--reason", "-vv", "--max-retries", "1", "-p", "22,23,81"}
		argv = append(argv, strings.Fields(kind)...)
		if strings.Contains(address, ":") {
			argv = append(argv, "-6")
		}
		e := w.runOn(w.net.Client, append(argv, address)...)
		for line := range strings.Lines(e.stdout) {
			if _, rest, ok := strings.Cut(line, "/tcp "); ok {
				fields := strings.Fields(rest) // state, service, reason
				if len(fields) < 3 {
					continue
				}
				lines = append(lines, strings.Join(append(fields[:1], fields[2:]...), " "))
			}
		}
		if len(lines) != 3 {
			t.Fatalf("nmap %s %s: %d ports: expected 3\n%s%s", kind, address, len(lines), e.stdout, e.stderr)
		}
		return lines
	}
	for _, address := range []string{server4, server6} {
		for _, kind := range []string{"-sS", "-sT", "-sA", "-sF", "-sN", "-sX", "-sM", "-sW", "--scanflags URG", "--scanflags SYNURG"} {
			lines := scan(kind, address)
			if lines[0] != lines[2] || lines[1] != lines[2] {
				t.Errorf("nmap %s %s: a guarded port with a service, one without, and a closed one:\n%s", kind, address, strings.Join(lines, "\n"))
			}
		}
	}
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if lines := scan("-sS", server4); !strings.HasPrefix(lines[0], "open ") || lines[1] != lines[2] {
		t.Errorf("after the knocks:\n%s", strings.Join(lines, "\n"))
	}
}
