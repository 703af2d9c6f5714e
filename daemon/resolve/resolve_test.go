package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
)

// A zone is a fake DNS: a script per name and network.
type zone struct {
	*testing.T
	*Resolver
	mu      sync.Mutex
	answers map[string]answer // by "ip4 home.example.net"
	asked   []string
	asking  int // now
	most    int // at the same time
}

type answer struct {
	addresses []netip.Addr
	err       error
	hangs     bool
}

var (
	gone     = &net.DNSError{Err: "no such host", IsNotFound: true}
	broken   = &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	deadline = &net.DNSError{Err: "i/o timeout", IsTimeout: true}
)

func (z *zone) lookup(ctx context.Context, network, name string) ([]netip.Addr, error) {
	z.mu.Lock()
	a := z.answers[network+" "+name]
	z.asked = append(z.asked, network+" "+name)
	z.asking++
	z.most = max(z.most, z.asking)
	z.mu.Unlock()
	defer func() {
		z.mu.Lock()
		z.asking--
		z.mu.Unlock()
	}()
	if a.hangs {
		<-ctx.Done()
		return nil, deadline
	}
	return a.addresses, a.err
}

// set sets the answers for a name.
func (z *zone) set(name string, four, six answer) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answers["ip4 "+name], z.answers["ip6 "+name] = four, six
}

// questions returns how many there were since the last call.
func (z *zone) questions() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := len(z.asked)
	z.asked = nil
	return n
}

func (z *zone) want(name, addresses, why string) {
	z.Helper()
	synctest.Wait()
	a := z.Answer(engine.Question{Kind: engine.FactHost, Name: name})
	var texts []string
	for _, one := range a.Addresses {
		texts = append(texts, one.String())
	}
	if got := strings.Join(texts, " "); got != addresses || a.Why != why || a.Known != (why == "") || a.From != "DNS" {
		z.Errorf("%s: got %q, %q, %+v; want %q, %q", name, got, a.Why, a, addresses, why)
	}
}

func has(texts ...string) answer {
	a := answer{}
	for _, text := range texts {
		a.addresses = append(a.addresses, netip.MustParseAddr(text))
	}
	return a
}

func fails(err error) answer { return answer{err: err} }

// pass lets time pass, which costs none within a story.
func pass(d time.Duration) { <-after(d) }

// story runs a resolver in time that only passes when everything waits.
func story(t *testing.T, tell func(z *zone)) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{T: t, answers: map[string]answer{}}
		z.Resolver = New(z.lookup, hclog.NewNullLogger())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- z.Resolver.Run(ctx) }()
		tell(z)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

const home = "home.example.net"

var hourly = Name{home, 5 * time.Minute, time.Hour}

func TestANameMoves(t *testing.T) {
	story(t, func(z *zone) {
		z.want(home, "", "it was not asked for yet")
		z.set(home, has("203.0.113.9"), has("2001:db8:7::1"))
		z.Set([]Name{hourly})
		z.want(home, "203.0.113.9 2001:db8:7::1", "")

		t.Log("# it has another address, which the next question finds")
		z.set(home, has("198.51.100.7"), fails(gone))
		pass(hourly.Every - time.Second)
		z.want(home, "203.0.113.9 2001:db8:7::1", "")
		pass(time.Second)
		z.want(home, "198.51.100.7", "")
		if n := z.questions(); n != 4 {
			t.Errorf("%d questions, want 2 times 2", n)
		}

		t.Log("# it does not exist any more: that is an answer, and counts at once")
		z.set(home, fails(gone), fails(gone))
		pass(hourly.Every)
		z.want(home, "", "it has no addresses")

		t.Log("# nobody uses it")
		z.Set(nil)
		z.questions()
		pass(time.Hour)
		z.want(home, "", "it was not asked for yet")
		if n := z.questions(); n != 0 {
			t.Errorf("%d questions for a name that nobody uses", n)
		}
	})
}

func TestFailuresKeepTheAddresses(t *testing.T) {
	story(t, func(z *zone) {
		z.set(home, has("203.0.113.9"), has("2001:db8:7::1"))
		z.Set([]Name{hourly})
		synctest.Wait()
		z.set(home, fails(broken), answer{hangs: true})
		pass(time.Hour)
		z.want(home, "203.0.113.9 2001:db8:7::1", "")
		pass(time.Second)
		z.want(home, "", "its IPv4 addresses are not known: server misbehaving")

		t.Log("# one version is back")
		z.set(home, has("203.0.113.9"), fails(deadline))
		pass(hourly.Every + 2*timeout)
		z.want(home, "203.0.113.9", "its IPv6 addresses are not known: no answer in time")
		z.set(home, has("203.0.113.9"), fails(gone))
		pass(hourly.Every + 2*timeout)
		z.want(home, "203.0.113.9", "")
	})
}

// TestAfterAStart: the network may come up after the daemon.
func TestAfterAStart(t *testing.T) {
	story(t, func(z *zone) {
		z.set(home, fails(errors.New("dial udp: network is unreachable")), fails(broken))
		z.Set([]Name{hourly})
		z.want(home, "", "its IPv4 addresses are not known: dial udp: network is unreachable")
		synctest.Wait()
		for i, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
			z.questions()
			pass(pause*time.Second - 1)
			synctest.Wait()
			if n := z.questions(); n != 0 {
				t.Errorf("failure %d: asked again before %d s", i, pause)
			}
			pass(1)
			synctest.Wait()
			if n := z.questions(); n != 2 {
				t.Errorf("failure %d: %d questions after %d s", i, n, pause)
			}
		}
	})
}

// TestDNSThatHangs: few questions are asked at once, and a name that hangs takes nobody's turn for
// long.
func TestDNSThatHangs(t *testing.T) {
	story(t, func(z *zone) {
		var names []Name
		for i := range 20 {
			name := fmt.Sprintf("h%d.example.net", i)
			names = append(names, Name{name, time.Hour, 24 * time.Hour})
			z.set(name, answer{hangs: true}, answer{hangs: true})
		}
		z.set("h19.example.net", has("203.0.113.19"), fails(gone))
		z.Set(names)
		pass(20 / maxQuestions * 2 * timeout)
		z.want("h19.example.net", "203.0.113.19", "")
		z.want("h0.example.net", "", "its IPv4 addresses are not known: no answer in time")
		if z.most != maxQuestions {
			t.Errorf("%d questions at once, want %d", z.most, maxQuestions)
		}
	})
}

func TestALyingServer(t *testing.T) {
	many := answer{}
	for i := range 10_000 {
		many.addresses = append(many.addresses, netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
	}
	slices.Reverse(many.addresses)
	story(t, func(z *zone) {
		z.set(home, many, fails(gone))
		z.set("ads.example.net", has("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.1.1"), has("::", "::1", "ff02::1", "fe80::1", "::ffff:127.0.0.1"))
		z.set("nas.example.net", has("192.168.1.5", "192.168.1.5", "127.0.0.1"), has("fd00::5", "::ffff:192.168.1.6"))
		z.Set([]Name{hourly, {"ads.example.net", time.Minute, time.Hour}, {"nas.example.net", time.Minute, time.Hour}})
		synctest.Wait()
		if a := z.Answer(engine.Question{Kind: engine.FactHost, Name: home}); len(a.Addresses) != maxAddresses || a.Addresses[0] != netip.MustParseAddr("198.51.0.0") {
			t.Errorf("%d addresses from %v", len(a.Addresses), a.Addresses[0])
		}
		z.want("ads.example.net", "", "none of its addresses can be the source of a packet from elsewhere")
		z.want("nas.example.net", "192.168.1.5 192.168.1.6 fd00::5", "")
		ignored := map[string]int{}
		for _, s := range z.Names() {
			ignored[s.Name.Name] = s.Ignored
		}
		if ignored[home] != 10_000-maxAddresses || ignored["ads.example.net"] != 10 || ignored["nas.example.net"] != 2 {
			t.Errorf("ignored: %v", ignored)
		}
	})
}

func TestStatus(t *testing.T) {
	story(t, func(z *zone) {
		z.set(home, has("203.0.113.9"), fails(gone))
		z.set("b.example.net", has("203.0.113.7"), fails(broken))
		z.Set([]Name{{"b.example.net", time.Hour, time.Hour}, hourly, {home, time.Hour, time.Minute}})
		pass(4 * time.Second)
		all := z.Names()
		if len(all) != 2 {
			t.Fatalf("%d names", len(all))
		}
		if s := all[0]; s.Known || s.Age != -1 || s.Failure != "server misbehaving" || s.Why != "its IPv6 addresses are not known: server misbehaving" || len(s.Addresses) != 1 {
			t.Errorf("one that fails: %+v", s)
		}
		if s := all[1]; !s.Known || s.Age != 4*time.Second || s.Failure != "" || s.Every != hourly.Every || s.Keep != time.Minute {
			t.Errorf("one that stands twice: %+v", s)
		}
	})
}

// TestNamesChangeAllTheTime sets names while questions are on their way.
func TestNamesChangeAllTheTime(t *testing.T) {
	story(t, func(z *zone) {
		z.set(home, answer{hangs: true}, has("2001:db8::1"))
		for i := range 100 {
			z.Set([]Name{hourly, {fmt.Sprintf("h%d.example.net", i), time.Minute, time.Hour}})
			pass(time.Second)
		}
		z.want(home, "2001:db8::1", "its IPv4 addresses are not known: no answer in time")
		if n := len(z.Names()); n != 2 {
			t.Errorf("%d names", n)
		}
		if z.Answer(engine.Question{Kind: engine.FactCountry, Name: home}).From != "" {
			t.Error("it answers for countries")
		}
	})
}

// What a server may have written is shown, but not all of it, and in whole characters.
func TestALongCause(t *testing.T) {
	long := strings.Repeat("é", 150)
	want := strings.Repeat("é", 100) + "..."
	for _, err := range []error{&net.DNSError{Err: long}, errors.New(long)} {
		if got := cause(err); got != want {
			t.Errorf("%T: %q", err, got)
		}
		if got := cause(fmt.Errorf("x%w", err)); got == "" || strings.ToValidUTF8(got, "?") != got {
			t.Errorf("%T within another: %q", err, got)
		}
	}
}
