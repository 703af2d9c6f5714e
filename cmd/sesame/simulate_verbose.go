package main

import (
	"fmt"
	"os"
	"strings"

	"sesame/daemon/config"
	"sesame/daemon/transcript"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/simulate"
)

// provenance prints what the result depends on. It is no part of the transcript, which must be
// the same on every machine.
func (p *program) provenance(f *simulateFlags, set *scripting.Set, settings *config.Config, run *simulate.Config) {
	p.note("version %s", version())
	for _, file := range set.Files {
		kind := "script"
		if file.Referenced() {
			kind = "file"
		}
		p.note("%s %s, sha256 %x", kind, file.Path, file.SHA256)
	}
	for i, name := range run.Captures {
		size := ""
		if info, err := os.Stat(name); err == nil {
			size = ", " + transcript.Count(int(info.Size()), "byte")
		}
		p.note("capture %d: %s%s", i+1, name, size)
	}
	for _, option := range set.Options {
		p.note("option %s: %s", option.Name, shownValue(option))
	}
	if found := writableFiles(settings, set, f.geo.files); len(found) > 0 {
		p.note("users other than root can change %s", writable.Text(found))
	}
	destinations := "every destination"
	if len(run.Local) > 0 {
		destinations = strings.Trim(fmt.Sprint(run.Local), "[]")
	}
	p.note("local: %s; until: %s", destinations, f.until)
}

// shownValue returns the value of an option for people. Texts, ports and numbers may be what a
// knocker must know. They are in the output of no command.
func shownValue(option scripting.OptionValue) string {
	origin := "the default"
	if option.Set {
		origin = "given"
	}
	switch option.Type {
	case "string", "strings", "port", "ports", "number":
		return origin + " (not shown: it may be a secret)"
	}
	return fmt.Sprintf("%v, %s", option.Value, origin)
}
