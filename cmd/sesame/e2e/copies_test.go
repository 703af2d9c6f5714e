//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/livetest"
)

// behind is an address behind the server. Whoever knocks there is heard on the bridge, and again on
// the far end of a veth pair, which is on the server too.
var behind = netip.MustParseAddr("10.9.0.5")

// TestRealCopiesLiveEqualsSimulated lets random packets come over a bridge, and some go on over a
// veth pair both ends of which the daemon hears. tcpdump records all interfaces, so it has each
// packet two to six times. A replay of its capture must tell what the daemon tells, and count as
// many knocks. SESAME_COPIES_RUNS is the number of runs (default 20), and SESAME_COPIES_SEED with
// which seed the first runs.
func TestRealCopiesLiveEqualsSimulated(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("needs tcpdump: see .ci/install")
	}
	runs, first := fromEnvironment(t, "SESAME_COPIES_RUNS", 20), fromEnvironment(t, "SESAME_COPIES_SEED", 1)
	var decided, copied atomic.Int64
	t.Run("worlds", func(t *testing.T) {
		for world := range min(runs, liveWorlds) {
			t.Run(strconv.Itoa(world), func(t *testing.T) {
				w := newWorld(t, map[string]string{"doors.lua": `sesame.door "first" { sequence = { "udp/7000" }, guards = "tcp/22" }`})
				w.bridge()
				w.start()
				w.hears("br0", "far0", "far1", "lo")
				for seed := first + world; seed < first+runs; seed += liveWorlds {
					told, copies := w.copiesRun(seed)
					decided.Add(int64(told))
					copied.Add(int64(copies))
					if t.Failed() {
						t.Fatalf("seed %d; once more: SESAME_COPIES_RUNS=1 SESAME_COPIES_SEED=%[1]d go test -run %s", seed, t.Name())
					}
				}
			})
		}
	})
	t.Logf("%d runs, %d decisions, %d copies in the captures", runs, decided.Load(), copied.Load())
	if int(copied.Load()) < runs {
		t.Errorf("only %d copies: the runs prove little", copied.Load())
	}
}

// bridge moves the server's addresses to a bridge over its link, and makes a veth pair behind it. A
// packet to [behind] leaves by far0 and arrives by far1, where nothing forwards it.
func (w *world) bridge() {
	w.Helper()
	s, client := w.net.Server, w.net.Client
	for _, line := range []string{
		"link add br0 type bridge", "addr flush dev server0", "link set server0 master br0",
		"addr add " + s.IPv4.String() + " dev br0", "addr add " + s.IPv6.String() + " dev br0 nodad", "link set br0 up",
		"route replace default via " + client.IPv4.Addr().String() + " dev br0 onlink",
		"-6 route replace default via " + client.IPv6.Addr().String() + " dev br0 onlink",
		"link add far0 address 02:00:00:00:09:01 type veth peer name far1 address 02:00:00:00:09:05", "link set far0 up", "link set far1 up",
		"addr add 10.9.0.1/24 dev far0", "neigh add " + behind.String() + " lladdr 02:00:00:00:09:05 dev far0 nud permanent",
	} {
		w.ip(line)
	}
	for _, setting := range []string{"ip_forward=1", "conf.far1.forwarding=0", "conf.all.rp_filter=0", "conf.br0.rp_filter=0", "conf.far1.rp_filter=0"} {
		s.Exec("sysctl", "-qw", "net.ipv4."+setting)
	}
}

// copiesRun plays a random set of doors and random packets. It returns how many decisions the
// daemon told, and how many copies the replay dropped.
func (w *world) copiesRun(seed int) (told, copies int) {
	w.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	end := fmt.Sprint("end", seed)
	w.write("doors.lua", copiesDoors(r, seed))
	if e := w.reload(); e.status != done {
		w.Fatalf("reload: %+v", e)
	}
	before := w.status().Counts.Knocks
	capture, stop := w.tcpdump(seed)
	w.randomCopies(r, seed)
	var live string
	w.eventually("the last knock was heard", func() bool {
		live = w.transcript()
		return strings.Contains(live, `"door":"`+end+`"`)
	})
	knocks := w.status().Counts.Knocks - before
	var replayed string
	var summary struct {
		Knocks  int
		Dropped map[string]int
	}
	w.eventually("the last knock was recorded", func() bool {
		replayed = w.runOn(w.net.Server, "sesame", "simulate", "-s", w.scripts, "--format", "jsonl", "--until", "0s",
			"--local", server4+","+server6+",10.9.0.1", capture).stdout
		return strings.Contains(replayed, `"door":"`+end+`"`)
	})
	stop()
	lines := strings.Split(strings.TrimSpace(replayed), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		w.Fatal(err)
	}
	decided := decisions(w.T, live, seed)
	if diff := cmp.Diff(decided, decisions(w.T, replayed, seed)); diff != "" || summary.Knocks != knocks {
		script, _ := os.ReadFile(w.scripts + "/doors.lua")
		w.Errorf("seed %d: %d knocks live, %d in a replay; decisions (-live +replayed):\n%s\n%s\n%s", seed, knocks, summary.Knocks, diff, script, replayed)
		w.keep(capture)
	}
	return len(decided), summary.Dropped["duplicate"]
}

// tcpdump records all interfaces of the server, until stop is called.
func (w *world) tcpdump(number int) (capture string, stop func()) {
	w.Helper()
	capture = w.path(fmt.Sprint("any", number, ".pcap"))
	log, err := os.Create(capture + ".log")
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("tcpdump", "-i", "any", "-U", "--immediate-mode", "-s", "256", "-B", "16384",
		"--time-stamp-precision=nano", "-Z", "root", "-w", capture, "tcp or udp")
	cmd.Stderr = log
	w.net.Server.Start(cmd)
	w.eventually("tcpdump listens", func() bool {
		text, _ := os.ReadFile(log.Name())
		return strings.Contains(string(text), "listening on")
	})
	return capture, func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err != nil || !strings.Contains(string(text), "\n0 packets dropped by kernel") {
			w.Errorf("tcpdump lost packets, so this run proves nothing: %v\n%s", err, text)
		}
	}
}

// copiesDoors is a script whose doors count each packet: a copy more, and they do something else.
// Limits outlast a reload, so doors with a limit have a name of their own in each run.
func copiesDoors(r *rand.Rand, seed int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	return fmt.Sprintf(`
sesame.door "twice" { sequence = { "udp/7001", "udp/7001", "tcp/7002" }, within = %q, guards = "tcp/22", ttl = "50ms", %s }
sesame.door "knocks" { sequence = { "tcp/7002", "tcp/7002", "udp/7003" }, step_timeout = %q, within = "2s", guards = "tcp/22", ttl = "50ms", %s }
sesame.door "behind" { sequence = { "udp/7001", "udp/7003", "udp/7003" }, target = %q, within = "2s", guards = "tcp/22", ttl = "50ms", %s }
sesame.door "one%d" { sequence = { "udp/7004" }, limit = %q, guards = "tcp/22", ttl = "50ms" }
sesame.listen "listener%d" { on = { "udp/7003", "tcp/7005" }, limit = %q, guards = "tcp/22", ttl = "50ms", on_knock = function(knock) knock:allow() end }
sesame.door "end%d" { sequence = { "udp/7999" }, guards = "tcp/22", ttl = "50ms" }
`, pick("60ms", "300ms", "2s"), pick(`duplicates = "wrong"`, `on_wrong = "ignore"`, `tripwires = 0`), pick("30ms", "1s"), pick(`duplicates = "wrong"`, `on_wrong = "ignore"`),
		behind, pick(`duplicates = "wrong"`, `on_wrong = "ignore"`), seed, pick("2/s", "3/m per source"), seed, pick("4/s", "2/m per source"), seed)
}

// randomCopies sends packets of sources that nobody else uses: knocks, the same frames again at
// once and later, as networks and clients send them.
func (w *world) randomCopies(r *rand.Rand, seed int) {
	w.Helper()
	sources := sourcesOf(seed)
	ports := []string{"udp/7001", "udp/7001", "tcp/7002", "udp/7003", "udp/7003", "udp/7004", "tcp/7005"}
	var knocks []livetest.Knock
	next := r.IntN(len(ports))
	for range 30 {
		source := sources[r.IntN(len(sources))]
		for k := range livetest.Knocks(source, ports[next%len(ports)]) {
			if source.Is4() && r.IntN(3) == 0 {
				k.To = behind
			}
			knocks = append(knocks, k)
		}
		if next++; r.IntN(5) == 0 {
			next = r.IntN(len(ports))
		}
		for r.IntN(3) == 0 {
			knocks = append(knocks, livetest.Knock{Again: true})
		}
	}
	for len(knocks) > 0 {
		n := min(len(knocks), 1+r.IntN(8))
		w.sendAll(knocks[:n], []int{0, 0, 1000, 120}[r.IntN(4)])
		if knocks = knocks[n:]; r.IntN(2) == 0 {
			w.pass(time.Duration(r.IntN(20)) * time.Millisecond)
		}
	}
	w.send(sources[0], "udp/7999")
}

// sourcesOf returns the sources of a run.
func sourcesOf(seed int) []netip.Addr {
	return []netip.Addr{livetest.Source4(seed * 4 % livetest.MaxSource4), livetest.Source4((seed*4 + 1) % livetest.MaxSource4), livetest.Source6(seed)}
}

func (w *world) sendAll(knocks []livetest.Knock, rate int) {
	w.Helper()
	all := func(yield func(livetest.Knock) bool) {
		for _, k := range knocks {
			if !yield(k) {
				return
			}
		}
	}
	if _, _, err := w.sender.Send(context.Background(), all, rate); err != nil {
		w.Fatal(err)
	}
}

// decisions returns what a transcript tells of attempts, up to the door that ends a run, without
// times and numbers of packets: the one capture has more packets than the other.
func decisions(t *testing.T, text string, seed int) (all []string) {
	t.Helper()
	sources := sourcesOf(seed)
	for line := range strings.Lines(text) {
		var e struct {
			Event, Door, Source, Reason string
			Stage                       int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if address, err := netip.ParseAddr(e.Source); err != nil || !slices.Contains(sources, address) {
			continue
		}
		switch e.Event {
		case "stage", "open", "miss", "refuse":
			all = append(all, fmt.Sprintf("%s %s %s %d %s", e.Event, e.Door, e.Source, e.Stage, e.Reason))
		}
		if strings.HasPrefix(e.Door, "end") && e.Event == "open" {
			break
		}
	}
	return all
}

// TestRealRetransmits knocks by the TCP of a kernel that gets no answer, and sends its SYN again
// after a second. Two connections are two knocks, however often each is asked for.
func TestRealRetransmits(t *testing.T) {
	w := newWorld(t, map[string]string{"doors.lua": `sesame.door "calls" { sequence = { "tcp/7001", "tcp/7001" }, duplicates = "wrong", within = "60s", guards = "tcp/22", ttl = "10m" }`})
	w.net.Server.Exec("nft", "add table inet silent; add chain inet silent in { type filter hook input priority 10; }; add rule inet silent in tcp dport 7001 drop")
	w.start()
	retransmits := func() int { return w.status().Counts.Dropped["retransmit"] }
	call := func() {
		before, fd := retransmits(), -1
		err := w.net.Client.Do(func() (err error) {
			if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			return unix.Connect(fd, &unix.SockaddrInet4{Port: 7001, Addr: netip.MustParseAddr(server4).As4()})
		})
		if !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal("connecting: ", err)
		}
		w.eventually("the SYN came again", func() bool { return retransmits() > before })
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
	call()
	w.shut(ssh4)
	call()
	w.opens(ssh4)
	if knocks := w.status().Counts.Knocks; knocks != 2 {
		t.Errorf("%d knocks of two connections", knocks)
	}
}
