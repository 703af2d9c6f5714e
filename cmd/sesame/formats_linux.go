package main

import (
	"sesame/daemon/control"
	"sesame/daemon/privileged"
	"sesame/daemon/state"
)

// liveFormats returns the versions of what a daemon writes, by their names.
func liveFormats() map[string]int {
	return map[string]int{
		"journal": state.JournalVersion, "set": state.SetVersion, "attempts": state.AttemptsVersion, "control": control.Version, "helper": privileged.ProtocolVersion,
	}
}

// savedForm returns the number of the configuration's form that a state directory has.
func savedForm(dir string) int { return state.SavedForm(dir) }
