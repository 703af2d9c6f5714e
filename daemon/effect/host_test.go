package effect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/packet"
)

// A host is a fake machine that a runner changes: a firewall whose elements end by
// themselves, a journal, a file of one-time sequences, and programs that take as long
// as a test wants. Each change is one line of happened, with the time since the host
// began.
type host struct {
	r      *Runner
	began  time.Time
	stop   func() error
	cancel func()

	mu       sync.Mutex
	happened []string
	kernel   map[key]time.Time // the ends of elements
	comments map[key]Element   // what they name
	table    bool              // whether there is one
	diskFull bool
	hanging  chan struct{} // writes wait until it is closed; nil: they do not
	records  []engine.Record
	programs map[string]program
	running  int
	ran      map[string]int // how often each command ran
	refuse   func(Element) error
	install  error             // what installs return
	mounts   map[string]string // state ("busy", "mounted"...) by program and source
	breaches []string          // of the order of commands and undos
	steps    int               // that were counted: see survives
	crash    int               // the step at which the host dies; 0: none
	dead     bool
	lines    []string // of the file of one-time sequences
	readOnly bool     // whether that file is

	mostRunning int                              // commands that ran at once, at most
	programOf   func(name string, n int) program // overrides programs; for the n-th run
}

// A program is how a command goes.
type program struct {
	takes  time.Duration
	fails  error
	writes string
}

var (
	errDisk = errors.New("no space left on device")
	errNo   = errors.New("exit status 1")
)

// newHost starts a runner on a host. It must be called in a bubble.
func newHost(t *testing.T, cfg Config) *host {
	h := newStoppedHost(cfg)
	h.start()
	t.Cleanup(h.cancel)
	return h
}

func newStoppedHost(cfg Config) *host {
	h := &host{began: time.Now(), kernel: make(map[key]time.Time), comments: make(map[key]Element), table: true, programs: make(map[string]program), ran: make(map[string]int), mounts: make(map[string]string)}
	cfg.Firewall, cfg.Persist, cfg.Now = h, h.persist, time.Now
	h.r = New(cfg)
	h.r.exec, h.r.commentOut = h.exec, h.commentOut
	return h
}

// start starts the runner, which stop ends.
func (h *host) start() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.r.Run(ctx) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	h.cancel = cancel
}

func (h *host) note(format string, arguments ...any) {
	h.happened = append(h.happened, fmt.Sprint(time.Since(h.began))+" "+fmt.Sprintf(format, arguments...))
}

// survives counts a step, and reports whether the host does not die at it. It is
// called before and after each change that the next start would find.
func (h *host) survives() bool {
	h.steps++
	h.dead = h.dead || h.steps == h.crash
	return !h.dead
}

// hang makes all writes hang, until goOn.
func (h *host) hang() {
	h.goOn()
	h.change(func() { h.hanging = make(chan struct{}) })
}

func (h *host) goOn() {
	h.change(func() {
		if h.hanging != nil {
			close(h.hanging)
		}
		h.hanging = nil
	})
}

func (h *host) persist(records []engine.Record) error {
	h.mu.Lock()
	if hanging := h.hanging; hanging != nil {
		h.mu.Unlock()
		<-hanging
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	defer h.survives()
	if !h.survives() {
		return errDisk
	}
	if h.diskFull {
		h.note("persist fails")
		return errDisk
	}
	h.records = append(h.records, records...)
	words := []string{"persist"}
	for _, r := range records {
		switch {
		case r.Store != nil:
			words = append(words, r.Store.Key)
		case r.Consumed != nil && r.Ended:
			words = append(words, "commented out "+r.Consumed.Line)
		case r.Consumed != nil:
			words = append(words, "used "+r.Consumed.Line)
		case r.Ended:
			words = append(words, fmt.Sprintf("-%d", r.Grant.ID))
		default:
			words = append(words, fmt.Sprintf("+%d", r.Grant.ID))
		}
	}
	h.note("%s", strings.Join(words, " "))
	return nil
}

// commentOut comments out a line, in one step: the file is renamed.
func (h *host) commentOut(_, line string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.survives()
	switch {
	case !h.survives():
		return errDisk
	case h.readOnly:
		h.note("comment out %s fails", line)
		return errDisk
	}
	h.note("comment out %s", line)
	if i := slices.Index(h.lines, line); i >= 0 {
		h.lines[i] = "#" + line[1:]
	}
	return nil
}

// Apply changes elements.
func (h *host) Apply(elements []Element) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.survives()
	if !h.survives() {
		return nil
	}
	words, errs := []string{"apply"}, make([]error, len(elements))
	for i, e := range elements {
		source := e.Source.String()
		if e.Source.IsSingleIP() {
			source = e.Source.Addr().String()
		}
		text := source + " " + e.Port.String()
		if e.Remaining > 0 {
			text += " " + e.Remaining.String()
		} else {
			text += " gone"
		}
		if e.Observed {
			text += " observed"
		}
		if e.Cut {
			text += " cut"
		}
		words = append(words, text+";")
		switch {
		case !h.table:
			errs[i] = ErrGone
		case h.refuse != nil && h.refuse(e) != nil:
			errs[i] = h.refuse(e)
		default:
			h.set(e)
		}
	}
	h.note("%s", strings.TrimSuffix(strings.Join(words, " "), ";"))
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return errs
	}
	return nil
}

func (h *host) set(e Element) {
	k := key{source: e.Source, port: e.Port}
	if e.Remaining <= 0 {
		delete(h.kernel, k)
		return
	}
	h.kernel[k], h.comments[k] = time.Now().Add(e.Remaining), e
}

// Install installs everything.
func (h *host) Install(_ Guards, elements []Element) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.survives()
	if !h.survives() {
		return nil
	}
	if h.install != nil {
		h.note("install fails")
		return h.install
	}
	h.note("install %d", len(elements))
	clear(h.kernel)
	h.table = true
	for _, e := range elements {
		h.set(e)
	}
	return nil
}

// Elements returns the elements that have not ended.
func (h *host) Elements() ([]Element, error) { return nil, errors.New("not used") }

// Whole is not used.
func (h *host) Whole() (bool, error) { return false, errors.New("not used") }

// open returns the elements that have not ended.
func (h *host) open() map[key]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	live := maps.Clone(h.kernel)
	maps.DeleteFunc(live, func(_ key, end time.Time) bool { return !end.After(time.Now()) })
	return live
}

func (h *host) exec(ctx context.Context, c Command, answer func(Output, error)) {
	p, alive := h.begin(c)
	if !alive {
		answer(Output{}, errNo)
		return
	}
	err := p.fails
	if p.takes > 0 {
		select {
		case <-time.After(p.takes):
		case <-ctx.Done():
			err = ErrStopped
		}
	}
	h.end(c, p, err)
	answer(Output{Text: printable(p.writes)}, err)
}

func (h *host) begin(c Command) (p program, alive bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.survives() {
		return program{}, false
	}
	name := strings.Join(c.Argv, " ")
	h.ran[name]++
	h.running++
	h.mostRunning = max(h.mostRunning, h.running)
	h.note("run %s", name)
	h.mount(c, "runs")
	if p = h.programs[c.Argv[0]]; h.programOf != nil {
		p = h.programOf(name, h.ran[name])
	}
	return p, h.survives()
}

func (h *host) end(c Command, p program, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if !h.survives() {
		return
	}
	if p.takes > 0 {
		h.note("end %s", strings.Join(c.Argv, " "))
	}
	if err == nil {
		h.mount(c, "done")
	} else {
		h.mount(c, "failed")
	}
	h.survives()
}

// mount follows what a command with an undo does to the host, and notes a breach
// of the order. A command that failed has done nothing, and no undo is pending for it.
func (h *host) mount(c Command, what string) {
	program, isUndo := strings.CutPrefix(c.Argv[0], "/u")
	program = strings.TrimPrefix(program, "/")
	if !strings.HasPrefix(program, "mount") {
		return
	}
	k := program + " of " + strings.TrimPrefix(c.Program().Env[2], "SESAME_SOURCE=")
	if program == "mount3" { // which is shared
		k = program
	}
	before := h.mounts[k]
	switch {
	case what == "runs" && before != "" && (before != "mounted" || !isUndo):
		h.breaches = append(h.breaches, fmt.Sprintf("%s: %s runs while it is %s", k, c.Argv[0], before))
	case what == "runs" && isUndo && before == "":
		h.mounts[k] = "idle" // it may come twice, and for what never ran
	case what == "runs":
		h.mounts[k] = "busy"
	case what == "done" && !isUndo:
		h.mounts[k] = "mounted"
	default:
		delete(h.mounts, k)
	}
}

// later lets time pass, and then lets everything happen that can.
func later(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
	synctest.Wait()
}

// change changes the host while the runner runs.
func (h *host) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// give hands events to the runner, and lets it do all that it can at once.
func (h *host) give(events []engine.Event) {
	h.r.Enqueue(events)
	later(0)
}

// results returns the answers so far as text: the ID, and the error if any.
func (h *host) results() string {
	later(0)
	words := []string{}
	for _, r := range h.r.Results() {
		word := fmt.Sprint(r.ID)
		if r.Err != nil {
			word += " (" + r.Err.Error() + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// want compares what happened since the last want, and the answers. The journal is written
// beside all else, so its lines come last of those of one moment. Tests of that order hold the
// disk: see hang.
func (h *host) want(t *testing.T, results string, lines ...string) {
	t.Helper()
	got := h.results()
	h.mu.Lock()
	happened := journalLast(h.happened)
	h.happened = nil
	h.mu.Unlock()
	if diff := cmp.Diff(append([]string{}, lines...), append([]string{}, happened...)); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
	if got != results {
		t.Errorf("results %q, want %q", got, results)
	}
}

// journalLast moves the lines of the journal behind the others of the same moment.
func journalLast(lines []string) []string {
	moment := func(line string) string { return line[:strings.Index(line, " ")] }
	var all []string
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(s string) bool { return moment(s) != moment(lines[0]) })
		if n < 0 {
			n = len(lines)
		}
		group := slices.Clone(lines[:n])
		isJournal := func(s string) bool { return strings.HasPrefix(s, moment(s)+" persist") }
		all = append(all, slices.DeleteFunc(slices.Clone(group), isJournal)...)
		all = append(all, slices.DeleteFunc(group, func(s string) bool { return !isJournal(s) })...)
		lines = lines[n:]
	}
	return all
}

// wantNothingLeft checks that the runner, which has nothing to do, holds no step and
// no place of the queue any more.
func (h *host) wantNothingLeft(t rapid.TB) {
	t.Helper()
	r := h.r
	ready := len(r.jobs.endings) + len(r.jobs.commands) + len(r.jobs.turns) + r.jobs.all + len(r.jobs.running) + len(r.jobs.scripts)
	if r.places.all != 0 || r.places.commands != 0 || len(r.places.doors)+len(r.places.scripts) != 0 || len(r.backlog) != 0 || len(r.parked) != 0 || len(r.jobs.queues) != 0 || ready != 0 || len(r.parts) != 0 {
		t.Errorf("left over: places %+v, the backlog %v, %d parked decisions, %d queues, %d ready steps, %d parts",
			r.places, r.backlog, len(r.parked), len(r.jobs.queues), ready, len(r.parts))
	}
}

// bubble runs a test in a synctest bubble, whose clock is virtual. No goroutine may be
// left over.
func bubble(t *testing.T, test func(*testing.T)) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, test)
}

var (
	alice = netip.MustParsePrefix("203.0.113.9/32")
	bob   = netip.MustParsePrefix("203.0.113.77/32")
	ssh   = packet.Port{Proto: packet.TCP, Number: 22}
	web   = packet.Port{Proto: packet.TCP, Number: 80}
)

// The functions below make events as an engine would. Of effects
// the ID is the grant's number, and each is a decision of its own.

func (h *host) allow(id uint64, source netip.Prefix, port packet.Port, ttl time.Duration) []engine.Event {
	return []engine.Event{
		{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: &engine.Record{Grant: &engine.Grant{ID: id, Door: "a", Source: source, Port: port}}},
		{Kind: engine.EventEffect, Effect: engine.EffectAllow, Door: "a", ID: id, Decision: id, Grant: id, Source: source, Port: port, TTL: ttl, Until: time.Now().Add(ttl)},
	}
}

func run(id uint64, source netip.Prefix, argv ...string) []engine.Event {
	return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectExec, Door: "a", ID: id, Decision: id, Source: source, Argv: argv, Required: true}}
}

// beside is a command that is not required.
func beside(id uint64, source netip.Prefix, argv ...string) []engine.Event {
	events := run(id, source, argv...)
	events[0].Required = false
	return events
}

// mount is a command with an undo.
func mount(id uint64, door string, source netip.Prefix) []engine.Event {
	g := &engine.Grant{ID: id, Door: door, Source: source, Argv: []string{"/mount"}, Undo: []string{"/umount"}}
	return []engine.Event{
		{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: &engine.Record{Grant: g}},
		{Kind: engine.EventEffect, Effect: engine.EffectExec, Door: door, ID: id, Decision: id, Grant: id, Source: source, Argv: g.Argv, Required: true},
	}
}

func umount(id, grant uint64, door string, source netip.Prefix) []engine.Event {
	return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectUndo, Door: door, ID: id, Grant: grant, Source: source, Argv: []string{"/umount"}}}
}

func closed(grant uint64, source netip.Prefix, port packet.Port) []engine.Event {
	return []engine.Event{{Kind: engine.EventClose, Door: "a", Grant: grant, Source: source, Port: port, Reason: engine.Revoked}}
}

func ended(grant uint64) []engine.Event {
	return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: &engine.Record{Grant: &engine.Grant{ID: grant}, Ended: true}}}
}

func script(s string) []engine.Event {
	return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectLog, Door: "a", Source: alice, Detail: s}}
}

// decide makes one decision of effects.
func decide(parts ...[]engine.Event) []engine.Event {
	all := slices.Concat(parts...)
	var first uint64
	for i := range all {
		if first == 0 {
			first = all[i].ID
		}
		if all[i].Effect != engine.EffectPersist {
			all[i].Decision = first
		}
	}
	return all
}

// elsewhere returns the n-th source of many.
func elsewhere(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), 32)
}

// infoLog returns a log of the lines at info and above, and their text.
func infoLog() (hclog.Logger, *logtest.Buffer) {
	var text logtest.Buffer
	return hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true}), &text
}
