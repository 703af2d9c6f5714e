package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/repeat"
)

// repeatedFlags are those of commands that run a simulation many times: which scripts, what is
// known of sources, which packets, and how often.
type repeatedFlags struct {
	scripts scriptFlags
	geo     geoFlags
	typed   typedFlags
	decap   decapFlags
	local   []string
	parsed  []netip.Prefix // of local
	runs    int
	seed    uint64
}

func (f *repeatedFlags) add(c *cobra.Command) {
	f.scripts.add(c)
	f.geo.add(c)
	f.geo.addFacts(c)
	f.typed.add(c)
	f.decap.add(c)
	c.Flags().StringSliceVar(&f.local, "local", nil, "addresses or networks of the host; packets to others do not count (default: any)")
	c.Flags().IntVar(&f.runs, "runs", 1000, "how many runs, each with its own seed")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "the seed of the first run; each run after it has the next one")
}

// mostRuns is more than anybody waits for.
const mostRuns = math.MaxInt32

func (f *repeatedFlags) check(c *cobra.Command) (err error) {
	if f.runs < 1 || f.runs > mostRuns {
		return &usageError{c, fmt.Sprintf("--runs %d: expected 1 to %d", f.runs, mostRuns)}
	}
	if _, err := parseValues(c, f.scripts.values); err != nil {
		return err
	}
	if c.Flags().Changed("local") {
		if f.parsed, err = parseLocal(c, f.local); err != nil {
			return err
		}
	}
	return errors.Join(f.decap.check(c), f.typed.check(c), f.geo.check(c))
}

// plan returns how often to run, and with which seeds.
func (f *repeatedFlags) plan() repeat.Plan { return repeat.Plan{Seed: f.seed, Runs: f.runs} }

// A repeated has the scripts of a command that runs a simulation many times.
type repeated struct {
	set     *scripting.Set // that is loaded already; the worker that is made first has it
	taken   bool
	files   *source.Files
	options scripting.Options
	facts   engine.Facts
	local   []netip.Prefix
}

// loadRepeated loads the scripts once, and so finds what is wrong with them.
func (p *program) loadRepeated(c *cobra.Command, f *repeatedFlags) (*repeated, error) {
	settings, err := p.offlineConfig(c, &f.scripts)
	if err != nil {
		return nil, err
	}
	r := &repeated{options: scriptOptions(&settings), local: f.parsed}
	if r.files, err = readScripts(&settings); err != nil {
		return nil, err
	}
	first := r.options
	first.Print = func(at source.Place, line string) { p.note("%s: %s", at, line) }
	if r.set, err = scripting.Load(r.files.Clone(), first); err != nil {
		return nil, err
	}
	if err := r.complete(c, f, &settings); err != nil {
		r.set.Close()
		return nil, err
	}
	p.warnOfHosts(&f.geo.given, r.set.Hosts)
	return r, nil
}

// complete adds what is known of the host and of sources.
func (r *repeated) complete(c *cobra.Command, f *repeatedFlags, settings *config.Config) error {
	if len(r.set.Engine.Doors) == 0 {
		return fmt.Errorf("%s: no door in the scripts, so nothing could open: expected sesame.door or sesame.listen in a .lua file; name other scripts with -s", settings.Scripts)
	}
	if !c.Flags().Changed("local") {
		r.local = settings.Local
	}
	databases, err := f.geo.read(settings, r.set)
	r.facts = f.geo.facts(databases)
	return err
}

// machine returns the set that is loaded already, or another one that is the same, and what closes
// it. A set belongs to one goroutine.
func (r *repeated) machine() (set *engine.Set, closes func(), err error) {
	if !r.taken {
		r.taken = true
		return r.set.Engine, func() { r.taken = false }, nil
	}
	other, err := scripting.Load(r.files.Clone(), r.options)
	if err != nil {
		return nil, nil, err
	}
	return other.Engine, other.Close, nil
}

// simulation returns what the captures or the knocks are replayed with.
func (r *repeated) simulation(c *cobra.Command, f *repeatedFlags, captures []string) (simulate.Config, error) {
	config := simulate.Config{Captures: captures, Set: r.set.Engine, Local: r.local, Decap: f.decap.tunnels, Facts: r.facts}
	return config, f.typed.apply(c, &config)
}
