package daemon

import (
	"context"
	"fmt"
	"slices"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/geo"
	"sesame/daemon/geofile"
	"sesame/daemon/resolve"
	"sesame/scripting"
	"sesame/scripting/source"
)

// facts are what the engine asks: the databases in force, and the addresses of names. The loop owns
// them, so an answer and the databases that gave it never change during an input.
type facts struct {
	databases geo.Databases
	resolver  *resolve.Resolver
}

// Answer implements [engine.Facts].
func (f *facts) Answer(q engine.Question) engine.Answer {
	if q.Kind == engine.FactHost {
		return f.resolver.Answer(q)
	}
	return f.databases.Answer(q)
}

// openFacts reads the databases that the first set may ask, so that the first knock finds them. One
// that is missing or broken stops no start.
func (d *daemon) openFacts(first *scripting.Set) {
	var configured []string
	if d.config.Geo.Databases != nil {
		configured = []string{}
	}
	for _, path := range d.config.Geo.Databases {
		configured = append(configured, path.Text)
	}
	d.databases = geofile.NewFiles(configured)
	d.databases.Want(len(first.Asks) > 0)
	d.databases.Update()
	d.databasePaths <- d.databases.Paths()
	d.loop.facts.databases = d.databases.Databases()
	d.loop.facts.resolver.Set(namesOf(first))
	for _, state := range d.databases.States() {
		d.logDatabase(state)
	}
	if d.databases.Searched() && len(first.Asks) > 0 && len(d.databases.States()) == 0 {
		d.config.Log.Warn("scripts ask for the country or the network of sources, and no database was found", "searched", geofile.Places())
	}
}

// logDatabase logs what a file is used for, or why it is not used.
func (d *daemon) logDatabase(state geofile.State) {
	if state.Wrong != "" {
		d.config.Log.Warn("a database cannot be used", "error", state.Wrong)
	}
	if one := state.Database; one != nil {
		d.config.Log.Info("database", "path", one.Path, "name", one.Name(), "has", one.Content())
	}
}

// searched returns the directories in which a database may appear.
func (d *daemon) searched() []string {
	if d.databases.Searched() {
		return geofile.Places()
	}
	return nil
}

// namesOf returns the names of hosts whose addresses some sets ask for.
func namesOf(sets ...*scripting.Set) (names []resolve.Name) {
	for _, set := range sets {
		for _, host := range set.Hosts {
			names = append(names, resolve.Name{Name: host.Name, Every: host.Every, Keep: host.Keep})
		}
	}
	return names
}

// prepareFacts makes what these sets ask for available, and nothing else. A reload calls it with
// the old and the new set before it exchanges them, and then with the one that runs.
func (d *daemon) prepareFacts(ctx context.Context, sets ...*scripting.Set) {
	wanted := slices.ContainsFunc(sets, func(set *scripting.Set) bool { return len(set.Asks) > 0 })
	d.databases.Want(wanted)
	d.updateDatabases(ctx)
	d.loop.facts.resolver.Set(namesOf(sets...))
}

// followDatabases reads databases that have changed.
func (d *daemon) followDatabases(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.databaseHints:
			d.updateDatabases(ctx)
		}
	}
}

// updateDatabases reads the files that changed, and puts the databases in force between two inputs.
// It takes seconds for large files, so the loop must not call it.
func (d *daemon) updateDatabases(ctx context.Context) {
	before := d.databases.States()
	if changed := d.databases.Update(); changed {
		d.loop.do(ctx, func() { d.loop.facts.databases = d.databases.Databases() })
	}
	after := d.databases.States()
	for _, state := range after {
		at := slices.IndexFunc(before, func(b geofile.State) bool { return b.Path == state.Path })
		switch {
		case at < 0:
			d.logDatabase(state)
		case state.Wrong != "" && state.Wrong != before[at].Wrong:
			d.config.Log.Warn("a database cannot be used; the one before stays in force", "error", state.Wrong)
		case state.Database != before[at].Database:
			d.config.Log.Debug("a newer database is in force", "path", state.Path, "name", state.Database.Name())
		}
	}
	select {
	case <-d.databasePaths:
	default:
	}
	select {
	case d.databasePaths <- d.databases.Paths():
	default: // another goroutine has just sent them
	}
}

// geoStatus returns the state of the databases, and what a set asks for that none has.
func (d *daemon) geoStatus(asks []source.AskSite) (s control.Geo) {
	s.Searched = d.databases.Searched()
	has := map[engine.FactKind]bool{}
	for _, state := range d.databases.States() {
		one := control.Database{Path: state.Path, Wrong: state.Wrong}
		if database := state.Database; database != nil {
			one.Name, one.Built, one.SHA256, one.Has = database.Name(), database.Built, fmt.Sprintf("%x", database.Hash), database.Content()
			for kind := range factNames {
				has[kind] = has[kind] || database.Has(kind)
			}
		}
		s.Databases = append(s.Databases, one)
	}
	for _, site := range asks {
		if name := factNames[site.Kind]; !has[site.Kind] && !slices.Contains(s.Missing, name) {
			s.Missing = append(s.Missing, name)
		}
	}
	slices.Sort(s.Missing)
	return s
}

// factNames name what databases are asked for, in a status.
var factNames = map[engine.FactKind]string{engine.FactCountry: "country", engine.FactASN: "asn"}

// maxNames bounds the names of hosts in a status.
const maxNames = 100

// hostStatus returns the state of the names that scripts use.
func (d *daemon) hostStatus() (all []control.Host) {
	names := d.loop.facts.resolver.Names()
	for _, n := range names[:min(len(names), maxNames)] {
		one := control.Host{Name: n.Name.Name, Addresses: n.Addresses, Known: n.Known, Why: n.Why, Failure: n.Failure, Ignored: n.Ignored}
		if n.Age >= 0 {
			age := control.Duration(n.Age)
			one.Age = &age
		}
		all = append(all, one)
	}
	return all
}
