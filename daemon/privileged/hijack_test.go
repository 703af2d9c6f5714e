//go:build linux

package privileged

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

// A hijacker sends what a daemon may send that somebody has taken over: requests that are right,
// nearly right and random. It knows all that the daemon knows.
type hijacker struct {
	*world
	random *rand.Rand
	asked  map[string]int // the lines that right requests write, and how often each was asked for
	owing  map[string]int // by the argument of the undo: the commands that may owe it
}

func (h *hijacker) pick(choices ...string) string { return choices[h.random.IntN(len(choices))] }

// value returns a value of a placeholder, and whether it passes.
func (h *hijacker) value(name string) (value string, passes bool) {
	switch name {
	case "source":
		value = h.pick("203.0.113.9", "2001:db8::7", "203.0.113.10", "203.0.113.11", "203.0.113.12", "203.0.113.13", "0.0.0.0", "203.0.113.9 ", "$(reboot)", "-D", "203.0.113.09", "fe80::1%eth0", "\x00", "")
		a, err := netip.ParseAddr(value)
		return value, err == nil && a.Zone() == ""
	case "port":
		value = h.pick("22", "0", "65535", "22", "65536", "-1", " 22", "22\n", "0x16", "ssh")
		return value, value == "22" || value == "0" || value == "65535"
	case "door":
		value = h.pick("ssh", "ssh", "ssh", "ssh ", "../ssh", "SSH", "")
		return value, value == "ssh"
	}
	value = h.pick("low", "high", "low", "high", "low", "medium", "--help", "low high", "")
	return value, value == "low" || value == "high"
}

// command returns a request for one of two declared commands, or for what is none.
func (h *hijacker) command() effect.Command {
	how, names := h.ban, []string{"source", "level"}
	if h.random.IntN(2) == 0 {
		how, names = h.ask, []string{"port", "door"}
	}
	values, pass := map[string]string{}, true
	for _, name := range names {
		value, passes := h.value(name)
		values[name], pass = value, pass && passes
	}
	command := h.world.command(how, values)
	if command.Door = h.pick("ssh", "ssh", "ssh", "ssh", "ssh", "shut", "\x00"); command.Door != "ssh" {
		pass = false
	}
	command.Grant = h.random.Uint64()
	if h.random.IntN(3) == 0 {
		pass = false
		argv := slices.Clone(how.Argv)
		switch h.random.IntN(4) {
		case 0:
			argv[0] = h.pick("/bin/sh", "/bin/"+argv[0], argv[0]+" ", h.other)
		case 1:
			argv = append(argv, h.pick("{source}", "-c", ""))
		case 2:
			argv[h.random.IntN(len(argv))] += "x"
		case 3:
			command.Invocation.Undo = []string{"/bin/sh", "-c", "reboot"}
		}
		command.Invocation.Argv = argv
	}
	if pass {
		line := strings.Join([]string{"ask", values["port"], values["door"]}, " ")
		if len(how.Undo) > 0 {
			line = strings.Join([]string{"ban", values["source"], values["level"]}, " ")
			h.owing["unban "+values["source"]]++
		}
		h.asked[line]++
	}
	return command
}

// undo returns a request for an undo, which may be owed.
func (h *hijacker) undo() effect.Command {
	source, _ := h.value("source")
	switch h.random.IntN(4) {
	case 0:
		return undoing(h.program, "unban", source, "x")
	case 1:
		return undoing("/bin/sh", "-c", "reboot")
	}
	return undoing(h.program, "unban", source)
}

// attack sends one request.
func (h *hijacker) attack(ctx context.Context, c *connection) {
	ignore := func(effect.Output, error) {}
	switch h.random.IntN(11) {
	case 0, 1, 2, 3, 4:
		c.Run(ctx, h.command(), ignore)
	case 5, 6, 7:
		c.Run(ctx, h.undo(), ignore)
	case 8:
		path := h.pick(h.other, "/etc/shadow", h.program, h.scripts+"/a.lua", h.once+"/../other", "/proc/self/mem", h.helper+"/undos")
		if c.CommentOut(path, h.pick("1001,1002", "secret", "root:*:19000:0:99999:7:::")) == nil {
			h.t.Errorf("%s may be changed", path)
		}
	case 10:
		h.open(ctx, c)
	case 9:
		h.race(ctx, c)
		_ = c.send(message{kind: kindCancel, id: uint64(h.random.IntN(100) + 1)})
	}
}

// open asks for a file, of which only those below the directory of the scripts may come.
func (h *hijacker) open(ctx context.Context, c *connection) {
	path := h.pick("a.lua", "./lib/../a.lua", h.scripts+"/a.lua", "../other", "lib/../../once", "/etc/shadow", "../../../../../../etc/shadow",
		"shadow", "captures/up/other", "/proc/self/mem", ".", "", "\x00", "a.lua/", "pipe")
	file, err := c.Open(ctx, path)
	right := path == "a.lua" || path == "./lib/../a.lua" || path == "a.lua/"
	if err != nil {
		if path == "a.lua" {
			h.t.Errorf("a script: %v", err)
		}
		return
	}
	defer file.Close()
	mine, err := os.Stat(h.scripts + "/a.lua")
	must(h.t, err)
	if is, err := file.Stat(); err != nil || !right || !os.SameFile(is, mine) {
		h.t.Errorf("%q was opened: %v, %v", path, is, err)
	}
	if _, err := file.WriteString("x"); err == nil {
		h.t.Errorf("%q can be written", path)
	}
}

// race asks for the undo of a command that fails, while it runs. The undo is never owed.
func (h *hijacker) race(ctx context.Context, c *connection) {
	ignore := func(effect.Output, error) {}
	fail := engine.Invocation{Argv: []string{h.program, "fail"}, Undo: []string{h.program, "unfail"}}
	h.asked["fail"]++
	var asked sync.WaitGroup
	asked.Go(func() { c.Run(ctx, h.world.command(fail, nil), ignore) })
	for range 3 {
		asked.Go(func() { c.Run(ctx, undoing(fail.Undo...), ignore) })
	}
	asked.Wait()
}

// TestRealHijackedDaemon drives a helper of its own process with thousands of requests, and counts
// what ran: what the scripts declare with values that pass, and undos that were owed. It can do no
// more than that. Half way the helper is killed.
func TestRealHijackedDaemon(t *testing.T) {
	const requests = 3000
	w := newWorld(t)
	must(t, os.MkdirAll(w.scripts+"/captures", 0o700), os.Mkdir(w.scripts+"/lib", 0o700), os.Symlink("/etc/shadow", w.scripts+"/shadow"),
		os.Symlink("../..", w.scripts+"/captures/up"), unix.Mkfifo(w.scripts+"/pipe", 0o600))
	h := &hijacker{w, rand.New(rand.NewPCG(1, 2)), map[string]int{}, map[string]int{}}
	for half := range 2 {
		c := w.start()
		files, _, err := c.read(t.Context())
		must(t, err)
		if diff := cmp.Diff([]string{w.once}, files.Referenced()); diff != "" {
			t.Errorf("files that were read (-want +got):\n%s", diff)
		}
		for range requests / 2 {
			h.attack(t.Context(), c)
		}
		if half == 0 {
			w.kill()
			continue
		}
		must(t, c.Settle(nil)) // all that is owed of the first half runs
		for undo, n := range h.owing {
			for range n {
				c.Run(t.Context(), undoing(append([]string{w.program}, strings.Fields(undo)...)...), func(effect.Output, error) {})
			}
		}
		eventually(t, "as many undos as commands have run", func() bool {
			ran := counted(w.log())
			return sumOf(ran, "unban ") >= sumOf(ran, "ban ")
		})
	}
	ran := counted(w.log())
	for line, n := range ran {
		want := h.asked[line]
		if strings.HasPrefix(line, "un") { // of unfail none
			want = h.owing[line]
		}
		if n > want {
			t.Errorf("%q ran %d times, and was declared and asked for, or owed, %d times", line, n, want)
		}
	}
	for line, n := range h.asked {
		if ran[line] != n {
			t.Errorf("%q ran %d times of %d: a right request was refused", line, ran[line], n)
		}
	}
	for line, n := range h.owing {
		if ran[line] != n {
			t.Errorf("%q ran %d times, and was owed %d times", line, ran[line], n)
		}
	}
	if text, err := os.ReadFile(w.other); err != nil || string(text) != "1001,1002\nsecret\n" {
		t.Errorf("the file of nobody: %q, %v", text, err)
	}
	t.Logf("%d requests: %d commands of %d lines ran, and %d undos", requests, sumOf(ran, "ask ")+sumOf(ran, "ban "), len(h.asked), sumOf(ran, "unban "))
}

func counted(lines []string) map[string]int {
	n := map[string]int{}
	for _, line := range lines {
		n[line]++
	}
	return n
}

func sumOf(counted map[string]int, prefix string) (sum int) {
	for line, n := range counted {
		if strings.HasPrefix(line, prefix) {
			sum += n
		}
	}
	return sum
}

// TestBytesThatAreNoProtocol sends random and changed bytes. A connection that sends what is no
// message ends, and others go on. Nothing runs.
func TestBytesThatAreNoProtocol(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	honest := h.connect()
	_, _, err := honest.read(t.Context())
	must(t, err)
	random := rand.New(rand.NewPCG(3, 4))
	hello, err := (&message{kind: kindHello, version: ProtocolVersion}).encode()
	must(t, err)
	kinds := messages()
	delete(kinds, "mark")
	var all [][]byte
	for _, m := range kinds {
		b, err := m.encode()
		must(t, err)
		all = append(all, b)
	}
	slices.SortFunc(all, slices.Compare[[]byte]) // a map has another order each time
	ends := map[string]int{}
	for range 300 {
		end, ended := h.serve()
		conn, err := Conn(end)
		must(t, err)
		for i := range 10 {
			b := slices.Clone(all[random.IntN(len(all))])
			switch random.IntN(4) {
			case 0:
				b = make([]byte, random.IntN(maxMessage+1000))
				for i := range b {
					b[i] = byte(random.Uint32())
				}
			case 1:
				b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
			case 2:
				b = append(b, all[random.IntN(len(all))]...)
			}
			if i == 0 && random.IntN(2) == 0 {
				b = hello
			}
			if _, err := conn.Write(b); err != nil || len(b) == 0 {
				break
			}
		}
		must(t, shutdown(conn))
		why := "nothing was wrong"
		err = <-ended
		_ = conn.Close() // not before: what is unread would be lost
		if err != nil {
			why = strings.Join(strings.SplitN(err.Error(), ":", 3)[:1], ":")
		}
		ends[why]++
	}
	if ends[errProtocol.Error()] < 200 {
		t.Errorf("the connections ended so: %v", ends)
	}
	if got := honest.done(t.Context(), w.command(w.ask, map[string]string{"port": "22", "door": "ssh"})); got != "" {
		t.Error(got)
	}
	w.wantLog("ask 22 ssh")
	if owed := h.journal.list(); owed != nil {
		t.Errorf("owed: %q", owed)
	}
}

// shutdown closes a connection for writing, so that what was sent is read.
func shutdown(conn *net.UnixConn) error {
	if err := conn.CloseWrite(); err != nil && !strings.Contains(err.Error(), "not connected") {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}

// TestRequestsAreBounded breaks the bounds that are counted over a connection.
func TestRequestsAreBounded(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	for _, tt := range []struct {
		name, want string
		messages   []message
	}{
		{"hello twice", "the daemon broke the protocol: a message of kind 1", []message{{kind: kindHello, version: 1}}},
		{"an answer", "the daemon broke the protocol: a message of kind 12", []message{{kind: kindChanged}}},
		{"settled twice", "the daemon broke the protocol: it settled its undos twice", []message{{kind: kindSettle}, {kind: kindSettle}}},
		{"a claim after it", "the daemon broke the protocol: it claims 1 undos, or after it settled them", []message{{kind: kindSettle}, {kind: kindClaim, hashes: make([]hash, 1)}}},
		{"many claims", "the daemon broke the protocol: it claims 132096 undos, or after it settled them",
			slices.Repeat([]message{{kind: kindClaim, hashes: make([]hash, maxClaims)}}, maxSessionClaims/maxClaims+1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			end, ended := h.serve()
			conn, err := Conn(end)
			must(t, err)
			defer conn.Close() // not before the answer: what is unread would be lost
			for _, m := range append([]message{{kind: kindHello, version: ProtocolVersion}}, tt.messages...) {
				b, err := m.encode()
				must(t, err)
				if _, err := conn.Write(b); err != nil {
					break
				}
			}
			if err := <-ended; err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
