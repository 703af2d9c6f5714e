package daemon

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// withoutScripts returns a set that guards ports and that nobody can knock at. It is for a start at
// which neither the files load nor the set that was applied last, as after going back to a version
// of Sesame that does not know what they use. The ports stay guarded, people can look and grant,
// and files that load are applied.
//
// Its door has a file of one-time sequences without any. So it is a set as any other: it can be
// held against the next one, and recorded.
func (d *daemon) withoutScripts(guards []packet.Port) (*scripting.Set, *source.Files, error) {
	var ports []string
	for _, port := range guards {
		ports = append(ports, fmt.Sprintf("%q", port))
	}
	text := fmt.Sprintf("sesame.door \"no scripts\" { one_time_sequences = %q, guards = { %s } }\n",
		filepath.Join(absolute(d.config.State), "no-sequences"), strings.Join(ports, ", "))
	files := source.Of(d.config.Scripts, "", []source.File{{Path: "no-scripts.lua", Source: []byte(text)}})
	files.Base, files.ReadReferenced = d.config.State, func(string) ([]byte, error) { return nil, nil }
	set, err := d.loadAgain(files, nil)
	return set, files, err
}

// startWithoutScripts returns a start with such a set. failed is why the files are not used.
func (d *daemon) startWithoutScripts(b startup, found stateFound, failed error) (startup, error) {
	set, files, err := d.withoutScripts(found.saved.Guards)
	if err != nil {
		return b, errors.Join(failed, err)
	}
	d.config.Log.Error("neither the scripts nor those that were applied last can be loaded: nobody can knock, and the ports stay guarded",
		"scripts", d.config.Scripts, "error", failed, "applied_last", d.unloaded)
	b.set, b.files, b.values, b.without = set, files, map[string]string{}, true
	b.outcome.refuse(failed)
	return b, nil
}
