package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/daemon/geo"
	"sesame/daemon/geofile"
	"sesame/daemon/spelling"
	"sesame/scripting"
	"sesame/scripting/condition"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/simulate"
)

// geoFlags choose what answers scripts that ask for the country or the AS of a source.
type geoFlags struct {
	files []string
	texts []string
	given simulate.Given // of texts
}

// add adds --geo to a command.
func (f *geoFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.files, "geo", nil, "a database of countries or AS numbers; may be given again (default: [geo] of the configuration file)")
}

// addFacts adds --fact to a command.
func (f *geoFlags) addFacts(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.texts, "fact", nil, `state a fact, such as "203.0.113.9 country=ES asn=3352"; may be given again`)
}

// check checks the flags and reads what --fact states.
func (f *geoFlags) check(c *cobra.Command) error {
	if slices.Contains(f.files, "") {
		return &usageError{c, "--geo: it is empty: expected the path of a database, or leave it out"}
	}
	for _, text := range f.texts {
		if err := f.given.Add(text); err != nil {
			return &usageError{c, fmt.Sprintf("--fact %q: %v", text, err)}
		}
	}
	return nil
}

// read reads the databases of --geo, or else those of the configuration if the scripts ask for any.
func (f *geoFlags) read(settings *config.Config, set *scripting.Set) (geo.Databases, error) {
	if len(f.files) > 0 {
		return readDatabases(f.files)
	}
	if len(set.Asks) == 0 {
		return nil, nil
	}
	var paths []string
	for _, path := range settings.Geo.Databases {
		paths = append(paths, path.Text)
	}
	return readDatabases(paths)
}

// readDatabases reads all files, or returns what is wrong with the first wrong one.
func readDatabases(paths []string) (geo.Databases, error) {
	var all geo.Databases
	for _, path := range paths {
		database, err := geofile.Read(path)
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		all = append(all, database)
	}
	return all, nil
}

// facts returns what answers the questions of scripts: what was stated, and else the databases. It
// is nil when there is neither.
func (f *geoFlags) facts(databases geo.Databases) engine.Facts {
	if len(databases) == 0 && f.given.Empty() {
		return nil
	}
	if len(databases) > 0 {
		f.given.Next = databases
	}
	return &f.given
}

// warnOfHosts names the hosts of --fact that no script asks for: such a name may be mistyped.
func (p *program) warnOfHosts(given *simulate.Given, hosts []condition.Host) {
	var asked []string
	for _, h := range hosts {
		if !slices.Contains(asked, h.Name) {
			asked = append(asked, h.Name)
		}
	}
	for _, name := range given.UnknownHosts(hosts) {
		p.warn("--fact %q: no script asks for the addresses of this name%s", name, spelling.DidYouMean(name, asked))
	}
}

// noteDatabases prints which databases answered.
func (p *program) noteDatabases(databases geo.Databases, stated []string) {
	for _, d := range databases {
		p.note("database %s: %s, %s, sha256 %x", d.Path, d.Name(), d.Content(), d.Hash)
	}
	for _, text := range stated {
		p.note("fact %s", text)
	}
}

// machineDatabases reads the databases that sesame run would use on this machine: those that are
// configured, or those that are in the usual places if the scripts ask for any. Wrong ones are left
// out, with a warning.
func (p *program) machineDatabases(settings *config.Config, asks []source.AskSite) geo.Databases {
	var configured []string
	if settings.Geo.Databases != nil {
		configured = []string{}
	}
	for _, path := range settings.Geo.Databases {
		configured = append(configured, path.Text)
	}
	files := geofile.NewFiles(configured)
	files.Want(len(asks) > 0)
	files.Update()
	for _, one := range files.States() {
		if one.Wrong != "" {
			p.warn("database: %s", one.Wrong)
		}
	}
	return files.Databases()
}

// having returns which facts some database has.
func having(databases geo.Databases) *lint.Databases {
	has := func(kind engine.FactKind) bool {
		return slices.ContainsFunc(databases, func(d *geo.Database) bool { return d.Has(kind) })
	}
	return &lint.Databases{Countries: has(engine.FactCountry), ASNumbers: has(engine.FactASN)}
}

// oldDatabases returns a finding for each database that should be replaced.
func oldDatabases(databases geo.Databases, now time.Time) (all []lint.Finding) {
	for _, d := range databases {
		if age := now.Sub(d.Built); !d.Built.IsZero() && age > geofile.Old {
			all = append(all, lint.Finding{ID: lint.GeoOld, File: d.Path,
				Message: fmt.Sprintf("%s is %d days old", d.Name(), int(age.Hours()/24)),
				Hint:    "addresses have moved since: " + geofile.Newer(d.Name()),
			})
		}
	}
	return all
}
