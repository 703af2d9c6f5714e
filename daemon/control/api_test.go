package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

func TestEveryQuestionIsAnswered(t *testing.T) {
	w := newWorld(t)
	c, ctx := Dial(w.socket), t.Context()
	source, port := Source{netip.PrefixFrom(tom, 32)}, Port{ssh}

	status, err := c.Status(ctx)
	if err != nil || status.Version != "1.2" || status.Mode != Observe || !status.Now.Equal(noon) {
		t.Errorf("status %+v, %v", status, err)
	}
	grants, err := c.Grants(ctx)
	want := []Grant{{ID: 7, Door: "ssh", By: tom, Source: source, Port: port, TTL: Duration(time.Minute), End: noon.Add(61 * time.Second), Remaining: Duration(time.Minute)}}
	if diff := cmp.Diff(want, grants, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("grants, %v (-want +got):\n%s", err, diff)
	}
	granted, err := c.Grant(ctx, GrantRequest{source, port, Duration(90 * time.Second)})
	if err != nil || granted.ID != 8 || granted.Source != source || granted.Port != port || granted.TTL != Duration(90*time.Second) {
		t.Errorf("granted %+v, %v", granted, err)
	}
	revoked, err := c.Revoke(ctx, RevokeRequest{Source: source})
	if err != nil || len(revoked) != 1 || revoked[0].Source != source || revoked[0].Port != (Port{}) {
		t.Errorf("revoked %+v, %v", revoked, err)
	}
	outcome, err := c.Reload(ctx, ReloadRequest{Unguard: []Port{port, port}})
	if diff := cmp.Diff(Outcome{Outcome: Rejected, Generation: 2, Error: "ssh.lua:1: what"}, outcome); diff != "" || err != nil {
		t.Errorf("outcome, %v (-want +got):\n%s", err, diff)
	}
	var metrics bytes.Buffer
	if err := c.Metrics(ctx, &metrics); err != nil || metrics.String() != "metrics" {
		t.Errorf("metrics %q, %v", &metrics, err)
	}
	var recording bytes.Buffer
	if err := c.Record(ctx, &recording); err != nil || recording.String() != "a recording" {
		t.Errorf("recording %q, %v", &recording, err)
	}
}

// What programs read must not change by accident.
func TestJSON(t *testing.T) {
	grant := GrantOf(&engine.Grant{ID: 7, Door: "web", By: tom, Source: netip.MustParsePrefix("203.0.113.0/24"), Argv: []string{"/bin/on"},
		TTL: 90 * time.Second, End: noon.Add(time.Minute)}, noon, 0)
	for _, test := range []struct {
		value any
		want  string
	}{
		{grant, `{"id":7,"door":"web","by":"203.0.113.9","source":"203.0.113.0/24","argv":["/bin/on"],"ttl":"1m30s","end":"2026-03-01T12:01:00Z","remaining":"1m"}`},
		{Grant{ID: 1, Source: Source{netip.MustParsePrefix("2001:db8::1/128")}, Port: Port{ssh}}, `{"id":1,"source":"2001:db8::1","port":"tcp/22","ttl":"0s","end":"0001-01-01T00:00:00Z","remaining":"0s"}`},
		{GrantRequest{Source{netip.PrefixFrom(tom, 32)}, Port{ssh}, Duration(2 * time.Hour)}, `{"source":"203.0.113.9","port":"tcp/22","ttl":"2h"}`},
		{RevokeRequest{Source: Source{netip.PrefixFrom(tom, 32)}}, `{"source":"203.0.113.9"}`},
		{RevokeRequest{Source: Source{netip.PrefixFrom(tom, 32)}, Port: Port{ssh}, Cut: true}, `{"source":"203.0.113.9","port":"tcp/22","cut":true}`},
		{Grant{Source: Source{netip.PrefixFrom(tom, 32)}, Port: Port{ssh}, Cut: true}, `{"id":0,"source":"203.0.113.9","port":"tcp/22","ttl":"0s","end":"0001-01-01T00:00:00Z","remaining":"0s","cut":true}`},
		{StoredRequest{}, `{}`},
		{StoredRequest{Chosen: Chosen{Script: "a.lua", Source: tom, Key: "\xff"}, Values: true, Skip: 10, Limit: 5}, `{"script":"a.lua","source":"203.0.113.9","key":["/w=="],"values":true,"skip":10,"limit":5}`},
		{ForgetRequest{Chosen: Chosen{Script: "a.lua", Shared: true}}, `{"script":"a.lua","shared":true}`},
		{ForgetRequest{Chosen: Chosen{Script: "a.lua"}, All: true}, `{"script":"a.lua","all":true}`},
		{Forgotten{Count: 2, Unwritten: "no space"}, `{"count":2,"unwritten":"no space"}`},
		{ReloadRequest{}, `{}`},
		{Outcome{Outcome: Held, Generation: 3, Doors: 2, Held: []string{"tcp/22"}}, `{"outcome":"held","generation":3,"doors":2,"held":["tcp/22"]}`},
		{LastReload{At: noon, Outcome: Outcome{Outcome: Applied, Generation: 3, Doors: 2}}, `{"at":"2026-03-01T12:00:00Z","outcome":"applied","generation":3,"doors":2}`},
		{Status{Version: "1", Mode: Enforce, Now: noon, Since: noon, Scripts: Scripts{Loaded: noon}, Guards: []string{"tcp/22"}, Recorder: Recorder{From: noon}},
			`{"version":"1","mode":"enforce","now":"2026-03-01T12:00:00Z","since":"2026-03-01T12:00:00Z",` +
				`"scripts":{"path":"","generation":0,"sha256":"","loaded":"2026-03-01T12:00:00Z","doors":0,"drift":false,"last_good":false},` +
				`"guards":["tcp/22"],"live":{"attempts":0,"grants":0},` +
				`"counts":{"packets":0,"knocks":0,"opens":0,"misses":0,"refusals":0,"errors":0,"clamped":0,"dropped":null},` +
				`"capture":{"heard":null,"lost":0},"firewall":{"state":"","mode":"","repairs":0},` +
				`"effects":{"queued":0},"recorder":{"from":"2026-03-01T12:00:00Z","bytes":0,"blind":false}}`},
	} {
		text, err := json.Marshal(test.value)
		if diff := cmp.Diff(test.want, string(text)); diff != "" || err != nil {
			t.Errorf("%T, %v (-want +got):\n%s", test.value, err, diff)
		}
	}
}

func TestCounts(t *testing.T) {
	c := engine.Counts{Packets: 10, Knocks: 5, Opens: 1, Misses: 2, Refusals: 3, Errors: 4, Clamped: 6}
	c.Dropped[packet.NotLocal] = 1
	var before [packet.Drops]int
	before[packet.NotDropped] = 99 // means nothing
	before[packet.Malformed] = 2
	want := Counts{Packets: 12, Knocks: 5, Opens: 1, Misses: 2, Refusals: 3, Errors: 4, Clamped: 6, Dropped: map[string]int{"not_local": 1, "malformed": 2}}
	if diff := cmp.Diff(want, CountsOf(c, before)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSources(t *testing.T) {
	for _, test := range []struct{ text, want, err string }{
		{"203.0.113.9", "203.0.113.9", ""},
		{"::ffff:203.0.113.9", "203.0.113.9", ""},
		{"fe80::1%eth0", "fe80::1", ""},
		{"2001:db8::/64", "2001:db8::/64", ""},
		{"203.0.113.9/32", "203.0.113.9", ""},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"203.0.113.9/24", "", `source "203.0.113.9/24" has bits set beyond its length: write "203.0.113.0/24" for the network, or "203.0.113.9" for the address`},
		{"::ffff:203.0.113.0/120", "", `source "::ffff:203.0.113.0/120" is an IPv4 network written as IPv6: write it as IPv4`},
		{"example.org", "", `source "example.org" is not a network: expected one such as "203.0.113.0/24", "2001:db8::/32" or an address`},
		{"", "", `source "" is not a network: expected one such as "203.0.113.0/24", "2001:db8::/32" or an address`},
		{"1.2.3.4/33", "", `source "1.2.3.4/33" is not a network: expected one such as "203.0.113.0/24", "2001:db8::/32" or an address`},
	} {
		got, err := ParseSource(test.text)
		text, _ := got.MarshalText()
		if string(text) != test.want || (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
			t.Errorf("%q: %q, %v; want %q, %s", test.text, text, err, test.want, test.err)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	untouched := func(a *API) {
		a.Grant = func(context.Context, GrantRequest) (Grant, error) { t.Error("granted"); return Grant{}, nil }
		a.Revoke = func(context.Context, RevokeRequest) ([]Grant, error) { t.Error("revoked"); return nil, nil }
		a.Reload = func(context.Context, ReloadRequest) (Outcome, error) { t.Error("reloaded"); return Outcome{}, nil }
	}
	c := newWorld(t, untouched).raw(t)
	long := `{"unguard":[` + strings.Repeat(`"tcp/22",`, maxUnguard) + `"tcp/22"]}`
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/grant", ``, 400, "reading the request: EOF"},
		{"POST", "/v1/grant", `{}`, 400, `no source: expected an address`},
		{"POST", "/v1/grant", `{"source":"203.0.113.9"}`, 400, `no port: expected one such as`},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22"}`, 400, "ttl 0s: expected a time above zero"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":"-1s"}`, 400, "ttl -1s: expected a time above zero"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":"876001h"}`, 400, "up to 36,500 days"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":"soon"}`, 400, "is not a duration"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":30}`, 400, "cannot unmarshal number"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"icmp/1","ttl":"1s"}`, 400, "expected tcp/NUMBER or udp/NUMBER"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":"1s"} {}`, 400, "expected nothing behind"},
		{"POST", "/v1/grant", `{"source":"203.0.113.9","port":"tcp/22","ttl":"1s","door":"ssh"}`, 400, "unknown field"},
		{"POST", "/v1/grant", strings.Repeat(" ", maxBody+1), 413, "request body too large"},
		{"POST", "/v1/revoke", `null`, 400, "no source"},
		{"POST", "/v1/revoke", `[]`, 400, "cannot unmarshal array"},
		{"POST", "/v1/reload", `{"unguard":["ssh"]}`, 400, "expected a number from 1 to 65535"},
		{"POST", "/v1/reload", long, 400, "1025 ports to unguard: expected at most 1024"},
		{"GET", "/v1/status", `{}`, 400, "a body with GET: expected none"},
		{"GET", "/v1/events?format=xml", ``, 400, "format=xml: expected format=text or jsonl"},
		{"GET", "/v1/events?n=3", ``, 400, "n=3: expected"},
		{"POST", "/v1/status", `{}`, 405, ""},
		{"GET", "/v2/status", ``, 404, ""},
		{"GET", "/v1/../../etc/passwd", ``, 404, ""},
	} {
		status, body := do(t, c, test.method, test.path, test.body)
		if status != test.status || !strings.Contains(body, strings.ReplaceAll(test.want, `"`, `\"`)) {
			t.Errorf("%s %s %.80s: %d %s, want %d %s", test.method, test.path, test.body, status, body, test.status, test.want)
		}
	}
}

func TestErrorsReachThePerson(t *testing.T) {
	refusal := Refusal("too many grants are live")
	w := newWorld(t, func(a *API) {
		a.Grant = func(context.Context, GrantRequest) (Grant, error) { return Grant{}, refusal }
		a.Status = func(context.Context) (Status, error) { return Status{}, errBroken }
		a.Grants = func(context.Context) ([]Grant, error) { return nil, context.DeadlineExceeded }
		a.Record = func(context.Context, io.Writer) error { return errBroken }
		a.Reload = func(context.Context, ReloadRequest) (Outcome, error) { panic("a fault") }
	})
	c, ctx := Dial(w.socket), t.Context()
	_, err := c.Grant(ctx, GrantRequest{Source{netip.PrefixFrom(tom, 32)}, Port{ssh}, Duration(time.Minute)})
	if got, ok := errors.AsType[Refusal](err); !ok || got != refusal {
		t.Errorf("a refusal came as %v", err)
	}
	if _, err = c.Status(ctx); err == nil || err.Error() != "broken" {
		t.Errorf("an error came as %v", err)
	}
	if _, err = c.Grants(ctx); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("a daemon that is stuck came as %v", err)
	}
	if err = c.Record(ctx, io.Discard); err == nil || err.Error() != "broken" {
		t.Errorf("an error of a recording came as %v", err)
	}
	if _, err = c.Reload(ctx, ReloadRequest{}); err == nil || !strings.Contains(err.Error(), "asking the daemon") {
		t.Errorf("a fault came as %v", err)
	}
	if !strings.Contains(w.faults(), "a fault") {
		t.Errorf("the fault was not told: %q", w.faults())
	}
}

// A recording that breaks off must not pass for a whole one.
func TestHalfARecordingIsAnError(t *testing.T) {
	w := newWorld(t, func(a *API) {
		a.Record = func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, 1<<20))
			return errors.Join(err, errBroken)
		}
	})
	var got bytes.Buffer
	err := Dial(w.socket).Record(t.Context(), &got)
	if err == nil || !strings.Contains(err.Error(), "in the middle of its answer") {
		t.Errorf("%d bytes came, and then %v", got.Len(), err)
	}
}

func TestAnEmptyRecordingIsAnError(t *testing.T) {
	w := newWorld(t, func(a *API) { a.Record = func(context.Context, io.Writer) error { return nil } })
	if err := Dial(w.socket).Record(t.Context(), io.Discard); err == nil || err.Error() != "the recording is empty" {
		t.Errorf("got %v", err)
	}
}

func TestAReaderThatFails(t *testing.T) {
	w := newWorld(t)
	err := Dial(w.socket).Record(t.Context(), failing{})
	if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "daemon") {
		t.Errorf("the reader's own error came as %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errBroken }

func TestNoDaemon(t *testing.T) {
	dir := t.TempDir()
	for socket, want := range map[string]string{
		dir + "/none":               `no daemon answers at ` + dir + `/none: is "sesame run" running? Name its socket with --socket`,
		dir + "/no/directory":       "no daemon answers at",
		"":                          "no path for the socket",
		"@sesame":                   "expected the path of a file; write ./@sesame",
		strings.Repeat("long/", 30): "the kernel takes at most 107",
	} {
		_, err := Dial(socket).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", socket, err, want)
		}
		if strings.HasPrefix(want, "no daemon") != errors.Is(err, ErrNoDaemon) {
			t.Errorf("%q: ErrNoDaemon in %v", socket, err)
		}
	}
}

func TestAnotherServerIsRecognised(t *testing.T) {
	socket, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	done := make(chan error, 1) // the result of Serve
	go func() { done <- other.Serve(socket.listener) }()
	_, err = Dial(socket.path).Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), `answered "404 Not Found": is it of another version?`) {
		t.Errorf("got %v", err)
	}
	other.Close()
	<-done
	socket.Close()
}

// Who gives up frees what worked for it.
func TestTheContextOfAClientReachesTheDaemon(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	w := newWorld(t, func(a *API) {
		a.Reload = func(ctx context.Context, _ ReloadRequest) (Outcome, error) {
			close(began)
			<-ctx.Done()
			ended <- ctx.Err()
			return Outcome{}, ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if _, err := Dial(w.socket).Reload(ctx, ReloadRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the client: %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the daemon: %v", err)
	}
}

// A question that is asked when the daemon ends is answered, with an error.
func TestTheEndOfTheDaemonEndsQuestions(t *testing.T) {
	began := make(chan struct{})
	w := newWorld(t, func(a *API) {
		a.Reload = func(ctx context.Context, _ ReloadRequest) (Outcome, error) {
			close(began)
			<-ctx.Done()
			return Outcome{}, ctx.Err()
		}
	})
	got := make(chan error, 1)
	go func() {
		_, err := Dial(w.socket).Reload(context.Background(), ReloadRequest{})
		got <- err
	}()
	<-began
	if err := w.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := <-got; err == nil || !strings.Contains(err.Error(), "it is ending, or stuck") {
		t.Errorf("got %v", err)
	}
	if _, err := Dial(w.socket).Status(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("after its end: %v", err)
	}
}

// Profiles are served when there are some, however long they take to collect.
func TestProfiles(t *testing.T) {
	if status, _ := do(t, newWorld(t).raw(t), "GET", "/debug/pprof/heap", ""); status != 404 {
		t.Errorf("without profiles: status %d, want 404", status)
	}
	const limit = 50 * time.Millisecond
	w := newWorldWith(t, requestLimits{header: limit, all: limit}, func(a *API) {
		a.Profiles = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				t.Error("the request ended before the profile was collected")
			case <-time.After(4 * limit):
			}
			_, _ = io.WriteString(w, r.URL.Path)
		})
	})
	if status, body := do(t, w.raw(t), "GET", "/debug/pprof/heap", ""); status != 200 || body != "/debug/pprof/heap" {
		t.Errorf("status %d, %q", status, body)
	}
	if status, _ := do(t, w.raw(t), "POST", "/debug/pprof/heap", ""); status != 405 {
		t.Errorf("a POST: status %d, want 405", status)
	}
}
