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
		p.note("option %s: %v", option.Name, option.Value)
	}
	destinations := "every destination"
	if len(local) > 0 {
		destinations = strings.Trim(fmt.Sprint(local), "[]")
	}
	p.note("local: %s; until: %s", destinations, f.until)
}
