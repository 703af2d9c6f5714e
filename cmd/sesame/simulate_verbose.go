package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting"
)

// provenance prints what the result depends on. It is no part of the transcript, which must be
// the same on every machine.
func (p *program) provenance(f *simulateFlags, set *scripting.Set, local []netip.Prefix, captures []string) {
	p.note("version %s", version())
	for _, file := range set.Files {
		kind := "script"
		if file.Referenced() {
			kind = "file"
		}
		p.note("%s %s, sha256 %x", kind, file.Path, file.SHA256)
	}
	for i, name := range captures {
		size := ""
		if info, err := os.Stat(name); err == nil {
			size = ", " + transcript.Count(int(info.Size()), "byte")
		}
		p.note("capture %d: %s%s", i+1, name, size)
	}
	for _, option := range set.Options {
		p.note("option %s: %s", option.Name, shownValue(option))
	}
	destinations := "every destination"
	if len(local) > 0 {
		destinations = strings.Trim(fmt.Sprint(local), "[]")
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
