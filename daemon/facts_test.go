package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/resolve"
	"sesame/daemon/watch"
)

// countryOfVersion is the country that version n of a database has for everybody. No two versions
// behind one another have the same.
func countryOfVersion(n int) string {
	countries := []string{"ES", "PT", "FR", "DE", "IT", "SE", "NO", "FI", "PL", "AT", "CH", "GB", "IE", "BE", "NL"}
	return countries[n%len(countries)]
}

// An asking is a loop with a database that is followed.
type asking struct {
	*reloading
	d    *daemon
	path string
	got  []string // the country that each knock was refused for, or opened with
}

func newAsking(t *testing.T, script string) *asking {
	a := &asking{reloading: newReloading(t, script, nil)}
	a.path = filepath.Join(a.out, "geoip")
	a.d = &daemon{
		config: Config{Config: config.Config{Geo: config.Geo{Databases: []config.Value{{Text: a.path}}}}, Log: a.l.log},
		loop:   a.l, databaseHints: make(chan struct{}, 1), databasePaths: make(chan []string, 1),
	}
	a.write(0)
	a.l.do(t.Context(), func() {
		a.l.facts = &facts{resolver: resolve.New(nil, a.l.log)}
		a.d.openFacts(a.l.set)
		a.l.engine.SetFacts(a.l.facts)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- a.d.followDatabases(ctx) }()
	go func() {
		ended <- watch.NewFiles(a.d.databasePaths, a.d.searched(), time.Millisecond, a.l.log).Run(ctx, a.d.databaseHints)
	}()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
		must(t, <-ended)
	})
	return a
}

// write puts a version of the database in the place of the one before. Every other time it is
// written over the old one, in two halves.
func (a *asking) write(version int) {
	a.Helper()
	text := "# INTERNAL\n0,4294967295," + countryOfVersion(version) + "\n"
	if version%2 == 1 {
		f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_TRUNC, 0)
		must(a, err)
		_, err = f.WriteString(text[:20])
		must(a, err)
		_, err = f.WriteString(text[20:])
		must(a, err)
		must(a, f.Close())
		return
	}
	writeFile(a, a.path+".aside", text)
	must(a, os.Rename(a.path+".aside", a.path))
}

// knock knocks once, and notes the country that the decision was made with.
func (a *asking) knock() {
	a.Helper()
	if !a.l.do(a.Context(), func() {
		a.sent++
		events := a.l.engine.Packet(&packet.Packet{
			Time: a.l.clock.now(), Number: a.sent, Source: netip.AddrFrom4([4]byte{203, 0, byte(a.sent >> 8), byte(a.sent)}), Dest: netip.MustParseAddr("198.51.100.1"),
			SourcePort: 20000, Port: packet.Port{Proto: packet.UDP, Number: 9}, Payload: []byte{byte(a.sent)},
		})
		for i := range events {
			if e := &events[i]; e.Kind == engine.EventOpen {
				a.got = append(a.got, "ES")
			} else if e.Kind == engine.EventRefuse {
				_, country, _ := strings.Cut(e.Detail, " is in ")
				country, _, _ = strings.Cut(country, " ")
				a.got = append(a.got, country)
			}
		}
		a.l.dispatch(events)
	}) {
		a.Fatal("the loop has ended")
	}
}

// swaps returns how often a database is swapped, unless the environment says otherwise, and how
// many knocks come meanwhile.
func swaps(t *testing.T) (swaps, knocks int) {
	t.Helper()
	swaps = 10
	if text := os.Getenv("SESAME_SWAPS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		swaps = n
	}
	return swaps, 100 * swaps
}

// TestRealDatabaseIsSwappedUnderKnocks swaps a database again and again while people knock: each
// knock is decided with one version or the other, and with none that is older than the one before.
func TestRealDatabaseIsSwappedUnderKnocks(t *testing.T) {
	a := newAsking(t, `local spain, seen = sesame.country { "ES" }, sesame.command { "/bin/true" }
sesame.listen "gate" { on = "udp/9", mode = "observe", limit = "1000000/s", when = spain, on_knock = function(knock) knock:exec(seen) end }`)
	swaps, least := swaps(t)
	from := make([]int, 0, swaps) // how many knocks had come when each version was in force
	for version := range swaps {
		if version > 0 {
			a.write(version)
		}
		for last := ""; last != countryOfVersion(version) || a.sent < least*(version+1)/swaps; last = a.got[len(a.got)-1] {
			a.knock()
			if a.sent >= least*(version+1)/swaps {
				<-time.After(time.Millisecond) // the database is on its way
			}
		}
		from = append(from, a.sent)
	}
	if len(a.got) != a.sent {
		t.Errorf("%d knocks, and %d of them were decided", a.sent, len(a.got))
	}
	begin := 0
	for version, end := range from {
		decided := a.got[begin:end]
		at := slices.Index(decided, countryOfVersion(version))
		for i, country := range decided {
			if i < at && (version == 0 || country != countryOfVersion(version-1)) || i >= at && country != countryOfVersion(version) {
				t.Errorf("knock %d, at version %d: %q", begin+i+1, version, country)
			}
		}
		begin = end
	}
	t.Logf("%d swaps, %d knocks", swaps, a.sent)
}

// TestRealBrokenDatabase keeps the old one in force, and says what is wrong until a right one
// comes.
func TestRealBrokenDatabase(t *testing.T) {
	a := newAsking(t, `local spain = sesame.country { "ES" }
sesame.listen "gate" { on = "udp/9", guards = "tcp/22", ttl = "1s", when = spain, on_knock = function(knock) knock:allow() knock:log(knock.asn) end }`)
	status := func() string {
		s := a.d.geoStatus(a.l.set.Asks)
		text := fmt.Sprint(s.Missing)
		for _, one := range s.Databases {
			text += fmt.Sprintf(" %q %q", one.Name, strings.TrimPrefix(one.Wrong, a.path))
		}
		return text
	}
	has := func(want string) {
		t.Helper()
		a.until(want, func() bool { return strings.Contains(status(), want) })
		a.knock()
	}
	has(`[asn] "tor-geoip, of unknown age" ""`)
	for _, text := range []string{"", "\x00\x01", "# INTERNAL\n0,4294967295", strings.Repeat("x", 1<<20)} {
		writeFile(t, a.path, text)
		has(`"tor-geoip, of unknown age" ": `)
	}
	must(t, os.Remove(a.path))
	has(`"tor-geoip, of unknown age" " does not exist"`)
	writeFile(t, a.path, "# INTERNAL\n0,4294967295,FR\n")
	has(`"tor-geoip, of unknown age" ""`)
	if want := []string{"ES", "ES", "ES", "ES", "ES", "ES", "FR"}; !slices.Equal(a.got, want) {
		t.Errorf("%q, want %q", a.got, want)
	}
	if n := strings.Count(a.log.String(), "a database cannot be used; the one before stays in force"); n < 2 {
		t.Errorf("%d warnings in the log: %s", n, a.log)
	}
}
