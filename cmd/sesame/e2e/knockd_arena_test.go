//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
	"sesame/daemon/packet"
	"sesame/scripting/knockd/knockdtest"
)

// An arena is a network in which knockd and the daemon receive the same packets. The
// daemon runs all the time, and is given another script for each scenario; knockd
// is started anew. All that happens in an arena happens on one goroutine.
type arena struct {
	net     *livetest.Network
	program string // knockd
	dir     string

	daemon     *exec.Cmd
	log        string // of the daemon
	client     *control.Client
	transcript transcriptSoFar

	tap, raw4, raw6 int // a packet socket on the server, raw sockets on the client
	decoder         *packet.Decoder
	rounds          int
	serial          int // of the latest packet
}

func newArena(t *testing.T, program string) *arena {
	t.Helper()
	a := &arena{net: livetest.New(t), program: program, dir: t.TempDir(), decoder: packet.NewDecoder()}
	a.net.Server.Exec("ip", "address", "add", knockdtest.Second4.String()+"/24", "dev", a.net.Server.Interface)
	a.net.Server.Exec("ip", "address", "add", knockdtest.Second6.String()+"/64", "dev", a.net.Server.Interface, "nodad")
	var err error
	if a.tap, err = openTap(a.net.Server); err != nil {
		t.Fatalf("listening: %v", err)
	}
	t.Cleanup(func() { unix.Close(a.tap) })
	for family, raw := range map[int]*int{unix.AF_INET: &a.raw4, unix.AF_INET6: &a.raw6} {
		err := a.net.Client.Do(func() (err error) {
			*raw, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
			return err
		})
		if err != nil {
			t.Fatalf("opening a raw socket: %v", err)
		}
		t.Cleanup(func() { unix.Close(*raw) })
	}
	a.log = filepath.Join(a.dir, "daemon.log")
	t.Cleanup(func() {
		if a.daemon != nil {
			_ = a.daemon.Wait() // it was killed
		}
		text, _ := os.ReadFile(a.log)
		if bytes.Contains(text, []byte("DATA RACE")) || bytes.Contains(text, []byte("panic: ")) {
			t.Errorf("the daemon has a fault:\n%s", text)
		}
	})
	return a
}

// openTap returns a packet socket for what comes to a host. That it asks for time
// stamps makes the kernel stamp a packet once, as it comes in, for all receivers.
func openTap(h *livetest.Host) (fd int, err error) {
	err = h.Do(func() error {
		const everything = 0x0300 // ETH_P_ALL, in network order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything); err != nil {
			return err
		}
		limit := unix.Timeval{Sec: int64(patience / time.Second)}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	})
	return fd, err
}

func (a *arena) path(name string) string { return filepath.Join(a.dir, name) }

// start starts the daemon, which ends with the context, and waits until it is ready.
func (a *arena) start(ctx context.Context) error {
	config := fmt.Sprintf("[log]\nknockd = %q\n[record]\nsize = \"1MiB\"\n[limits]\nattempts = 1024\ngrants = 64\n", a.path("knockd-lines.log"))
	err := errors.Join(os.Mkdir(a.path("scripts"), 0o755), a.write("first.conf", "[first]\nsequence = 9:udp\n"), a.script("first.conf"),
		a.write("sesame.toml", config))
	if err != nil {
		return err
	}
	out, err := os.Create(a.log)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, daemonProgram, "run", "-c", a.path("sesame.toml"), "-s", a.path("scripts"), "--state", a.path("state"), "--socket", a.path("socket"))
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, environment()
	if err := a.net.Server.Do(cmd.Start); err != nil {
		return err
	}
	a.daemon = cmd
	if _, err := await(a.log, "ready: "); err != nil {
		return err
	}
	a.client = control.Dial(a.path("socket"))
	go a.client.Events(ctx, control.EventsRequest{Follow: true, JSON: true}, &a.transcript)
	return nil
}

// write gives a file its text in one step.
func (a *arena) write(name, text string) error {
	aside := a.path("aside")
	return errors.Join(os.WriteFile(aside, []byte(text), 0o600), os.Rename(aside, a.path(name)))
}

// script makes the daemon's script read a knockd.conf.
func (a *arena) script(conf string) error {
	return a.write("scripts/doors.lua", fmt.Sprintf("sesame.knockd %q\n", a.path(conf)))
}

// A transcriptSoFar is what a daemon has told.
type transcriptSoFar struct {
	mu   sync.Mutex
	text []byte
}

func (t *transcriptSoFar) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	return len(b), nil
}

// take returns all that was reported since it was taken last, once that has a part.
func (t *transcriptSoFar) take(part string) (text []byte, err error) {
	err = eventually(func() (bool, string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		text = t.text
		if !bytes.Contains(text, []byte(part)) {
			return false, fmt.Sprintf("%s in the transcript:\n%s", part, text)
		}
		t.text = nil
		return true, ""
	})
	return text, err
}

// await waits until a file has a text, and returns all of it.
func await(path, part string) (text []byte, err error) {
	err = eventually(func() (bool, string) {
		text, _ = os.ReadFile(path) // it may not be there yet
		return bytes.Contains(text, []byte(part)), fmt.Sprintf("%q in %s:\n%s", part, filepath.Base(path), text)
	})
	return text, err
}

// A round is a scenario that was played.
type round struct {
	scenario knockdtest.Scenario
	end      string          // name of the door that ends it
	path     string          // of the knockd.conf
	start    time.Time       // all was ready then, and no packet sent
	packets  []packet.Packet // as they came
	frames   [][]byte        // the same with their Ethernet headers

	knockdLog   []string // what knockd logged, without its stamps
	knockdHeard []string // the packets that knockd's filter passed
	transcript  []string // what Sesame told of attempts
	sesameLog   []string // what Sesame logged as knockd does
}

// play plays a scenario once.
func (a *arena) play(ctx context.Context, s knockdtest.Scenario) (*round, error) {
	a.rounds++
	r := &round{end: fmt.Sprintf("end%d", a.rounds)}
	r.scenario = s.WithEnd(r.end)
	conf := fmt.Sprintf("knockd%d.conf", a.rounds)
	r.path = a.path(conf)
	log, debug := r.path+".log", r.path+".debug"
	if err := errors.Join(a.write(conf, r.scenario.Conf+"\n[options]\nLogFile = "+log+"\n"), a.script(conf)); err != nil {
		return nil, err
	}
	outcome, err := a.client.Reload(ctx, control.ReloadRequest{})
	if err != nil || outcome.Outcome != control.Applied && outcome.Outcome != control.Unchanged {
		return nil, fmt.Errorf("reloading Sesame: %v: %s %s", err, outcome.Outcome, outcome.Error)
	}
	stop, err := a.startKnockd(ctx, r.path, log, debug)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := a.send(r); err != nil {
		return nil, err
	}
	if err := a.receive(r); err != nil {
		return nil, err
	}
	text, err := await(log, r.end+": OPEN SESAME")
	if err != nil {
		return nil, err
	}
	r.knockdLog = logLines(text)
	if text, err = os.ReadFile(debug); err != nil {
		return nil, err
	}
	r.knockdHeard = packetLines(text)
	return r, a.listen(r)
}

// listen takes what Sesame says of a round.
func (a *arena) listen(r *round) error {
	text, err := a.transcript.take(fmt.Sprintf(`"event":"open","door":%q`, r.end))
	if err != nil {
		return err
	}
	if r.transcript, err = told(text, r.start, r.end); err != nil {
		return err
	}
	log := a.path("knockd-lines.log")
	if text, err = await(log, r.end+": OPEN SESAME"); err != nil {
		return err
	}
	// What a reader finds who comes late is behind the end: attempts whose time is up.
	r.sesameLog = logLines(text)
	if end := slices.IndexFunc(r.sesameLog, func(l string) bool { return strings.Contains(l, r.end+": OPEN SESAME") }); end >= 0 {
		r.sesameLog = r.sesameLog[:end+1]
	}
	return os.Truncate(log, 0) // it is appended to
}

// startKnockd starts knockd and waits until it listens.
func (a *arena) startKnockd(ctx context.Context, conf, log, debug string) (stop func(), err error) {
	out, err := os.Create(debug)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, a.program, "-i", a.net.Server.Interface, "-c", conf, "-D")
	cmd.Stdout, cmd.Stderr = out, out
	if err := a.net.Server.Do(cmd.Start); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}
	if _, err := await(log, "starting up, listening on"); err != nil {
		stop()
		text, _ := os.ReadFile(debug)
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return stop, nil
}

// send sends the packets at their times after a whole second, each with a source
// port and a sequence number that no other has in this arena.
func (a *arena) send(r *round) error {
	before := a.serial
	a.serial += len(r.scenario.Packets)
	r.start = time.Now().Truncate(time.Second).Add(time.Second)
	<-time.After(time.Until(r.start))
	// An attempt of the scenario before may have ended after its log was taken and before the
	// reload.
	if err := os.Truncate(a.path("knockd-lines.log"), 0); err != nil {
		return err
	}
	for i := range r.scenario.Packets {
		p := &r.scenario.Packets[i]
		knockdtest.Renumber(p, before+int(p.SourcePort)-knockdtest.FirstSourcePort)
		<-time.After(time.Until(r.start.Add(p.Time.Sub(knockdtest.Start))))
		fd, to := a.raw6, unix.Sockaddr(&unix.SockaddrInet6{Addr: p.Dest.As16()})
		if p.Dest.Is4() {
			fd, to = a.raw4, &unix.SockaddrInet4{Addr: p.Dest.As4()}
		}
		if err := unix.Sendto(fd, knockdtest.Frame(p), 0, to); err != nil {
			return fmt.Errorf("sending packet %d: %w", p.Number, err)
		}
	}
	return nil
}

// receive takes the packets as they came: the same, with their stamps.
func (a *arena) receive(r *round) error {
	frame, messages := make([]byte, 2000), make([]byte, 100)
	for len(r.packets) < len(r.scenario.Packets) {
		n, length, _, _, err := unix.Recvmsg(a.tap, frame, messages, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("waiting for packet %d: %w", len(r.packets)+1, err)
		}
		var p packet.Packet
		if a.decoder.Decode(packet.Ethernet, frame[:n], n, &p) != packet.NotDropped || p.Port.Proto == packet.ICMP {
			continue
		}
		if p.Time, err = stampOf(messages[:length]); err != nil {
			return err
		}
		want := r.scenario.Packets[len(r.packets)]
		want.Time, p.Number, p.Payload = p.Time, want.Number, nil
		// By these a copy is known. The scenario does not have them.
		p.ID, p.MayFragment, p.Digest, p.LinkDigest = 0, false, 0, 0
		if diff := cmp.Diff(want, p, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
			return fmt.Errorf("what came is not what was sent (-sent +came):\n%s", diff)
		}
		r.packets = append(r.packets, p)
		r.frames = append(r.frames, bytes.Clone(frame[:n]))
	}
	return nil
}

func stampOf(messages []byte) (time.Time, error) {
	parsed, err := unix.ParseSocketControlMessage(messages)
	if err != nil || len(parsed) != 1 {
		return time.Time{}, fmt.Errorf("%d control messages, %v: expected a time stamp", len(parsed), err)
	}
	stamp := parsed[0].Data
	return time.Unix(int64(binary.NativeEndian.Uint64(stamp)), int64(binary.NativeEndian.Uint64(stamp[8:]))), nil
}

// capture returns the packets as a pcap file with nanoseconds.
func (r *round) capture() []byte {
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0) // version 2.4; 256 KiB; Ethernet
	for i, frame := range r.frames {
		at, length := r.packets[i].Time, uint32(len(frame))
		for _, field := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond()), length, length} {
			file = binary.LittleEndian.AppendUint32(file, field)
		}
		file = append(file, frame...)
	}
	return file
}

// reread is what Sesame logs for a reload, as knockd does.
const reread = "re-reading config file: "

// logLines returns what a log of knockd says, without the minute before each line
// and what is about the program.
func logLines(text []byte) (found []string) {
	for line := range strings.Lines(string(text)) {
		_, said, stamped := strings.Cut(strings.TrimSpace(line), "] ")
		if stamped && !strings.HasPrefix(said, "starting up, ") && !strings.HasPrefix(said, reread) {
			found = append(found, said)
		}
	}
	return found
}

// packetLines returns the packets that knockd was given: the time of day of each,
// its protocol, source and destination.
func packetLines(text []byte) (found []string) {
	for line := range strings.Lines(string(text)) {
		_, said, dated := strings.Cut(strings.TrimSpace(line), " ")
		if said, bytes := strings.CutSuffix(said, " bytes"); dated && bytes && strings.Contains(said, " -> ") {
			found = append(found, said[:strings.LastIndexByte(said, ' ')])
		}
	}
	return found
}
