package control

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// At the bound of connections more wait, and none is lost.
func TestConnectionsAreBounded(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(a *API) {
		a.Status = func(ctx context.Context) (Status, error) {
			began <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return Status{}, ctx.Err()
		}
	})
	const askers = maxConnections + 10
	results := make(chan error, askers)
	for range askers {
		go func() {
			_, err := Dial(w.socket).Status(context.Background())
			results <- err
		}()
	}
	for range maxConnections {
		<-began
	}
	select {
	case <-began:
		t.Error("more are served at once than the bound")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for range askers - maxConnections {
		<-began
	}
	for range askers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// A connection that says nothing, one that says it slowly, and one that never
// describes what it announced, are closed.
func TestSilenceIsBounded(t *testing.T) {
	w := newWorldWith(t, requestLimits{header: 50 * time.Millisecond, all: 100 * time.Millisecond})
	const head = " HTTP/1.1\r\nHost: sesame\r\n"
	for _, begin := range []string{
		"", "GET /v1/status" + head + "X-Slow: ", "POST /v1/reload" + head + "Content-Length: 2\r\n\r\n", "GET /v1/status" + head + "Content-Length: 2\r\n\r\n",
	} {
		answer, err := exchange(w.socket, begin)
		if err != nil || strings.Contains(answer, "200 OK") {
			t.Errorf("after %q: %q, %v; want a closed connection", begin, answer, err)
		}
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	w := newWorld(t)
	answer, _ := exchange(w.socket, "GET /v1/status HTTP/1.1\r\nHost: sesame\r\nX: "+strings.Repeat("x", 4*maxHeader)+"\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("got %q", answer)
	}
}

// A question is not ended by the limit for asking it.
func TestLongAnswersOutlastTheLimitForRequests(t *testing.T) {
	limit := requestLimits{header: 50 * time.Millisecond, all: 100 * time.Millisecond}
	long := func(ctx context.Context) error {
		select {
		case <-time.After(3 * limit.all):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w := newWorldWith(t, limit, func(a *API) {
		a.Reload = func(ctx context.Context, _ ReloadRequest) (Outcome, error) {
			return Outcome{Outcome: Applied}, long(ctx)
		}
		a.Record = func(ctx context.Context, w io.Writer) error {
			err := long(ctx)
			_, werr := io.WriteString(w, "a recording")
			return errors.Join(err, werr)
		}
	})
	if o, err := Dial(w.socket).Reload(t.Context(), ReloadRequest{}); err != nil || o.Outcome != Applied {
		t.Errorf("reload: %+v, %v", o, err)
	}
	if err := Dial(w.socket).Record(t.Context(), io.Discard); err != nil {
		t.Errorf("record: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit.all)
	defer cancel()
	if err := Dial(w.socket).Events(ctx, EventsRequest{Follow: true}, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("events: %v", err)
	}
}

// Whatever a body holds, what reaches the daemon makes sense.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		`{"source":"203.0.113.9","port":"tcp/22","ttl":"10m"}`, `{"source":"2001:db8::/64"}`, `{"unguard":["tcp/22","udp/53"]}`, `{}`, `null`,
		`{"source":"::ffff:1.2.3.4/120","port":"80","ttl":"9223372036s"}`, `{"source":"fe80::1%x","port":"tcp/00022","ttl":"1ns"}`, `{"SOURCE":"1.2.3.4"}`,
		`{"script":["/w=="],"key":"k","shared":true,"values":true,"skip":3,"limit":1000}`, `{"script":"a.lua","all":true}`,
	} {
		for i := range 5 {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		api := fakeAPI()
		api.Grant = func(_ context.Context, r GrantRequest) (Grant, error) {
			if !r.Source.IsValid() || r.Source.Prefix != r.Source.Masked() || r.Source.Addr().Is4In6() || r.Source.Addr().Zone() != "" ||
				r.Port.Number == 0 || r.TTL <= 0 || r.TTL > maxTTL {
				t.Errorf("%s asks for %+v", body, r)
			}
			return Grant{Source: r.Source, Port: r.Port, TTL: r.TTL}, nil
		}
		api.Revoke = func(_ context.Context, r RevokeRequest) ([]Grant, error) {
			if !r.Source.IsValid() || r.Source.Prefix != r.Source.Masked() || r.Port.Number == 0 && r.Port.Proto != 0 {
				t.Errorf("%s asks for %+v", body, r)
			}
			return nil, nil
		}
		api.Stored = func(_ context.Context, r StoredRequest) (Stored, error) {
			if r.Limit < 1 || r.Limit > MaxStored || r.Skip < 0 || r.Source.Is4In6() || r.Source.Zone() != "" || r.Shared && r.Source.IsValid() {
				t.Errorf("%s asks for %+v", body, r)
			}
			return Stored{}, nil
		}
		api.Forget = func(_ context.Context, r ForgetRequest) (Forgotten, error) {
			if r.Script == "" || r.All == (r.Key != "" || r.Source.IsValid() || r.Shared) || r.Source.Is4In6() {
				t.Errorf("%s asks for %+v", body, r)
			}
			return Forgotten{}, nil
		}
		path := []string{"grant", "revoke", "reload", "stored", "forget"}[which%5]
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), allowedKey{}, true), "POST", "/v1/"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		api.handler().ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	})
}
