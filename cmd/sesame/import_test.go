package main

import (
	"testing"

	"sesame/daemon/config"
	"sesame/scripting/knockd"
)

// FuzzImportedSettings: whatever a knockd.conf and a file of defaults have, the sesame.toml that is
// made of them loads, without a warning.
func FuzzImportedSettings(f *testing.F) {
	f.Add("[options]\nlogfile = \"/l\nInterface = a\\\"b\nUseSyslog\n", "KNOCKD_OPTS='-i eth0 -dvlD4 -g /a\x1b\n-c x'")
	f.Add("[options]\ninterface = \u00a0\u202e\xff\npidfile = \r# x\n", "OPTS=»-i é″")
	f.Fuzz(func(t *testing.T, conf, defaults string) {
		file, err := knockd.Parse("/etc/knockd.conf", []byte(conf))
		if err != nil {
			return
		}
		text := file.Settings(knockd.ReadDefaults([]knockd.DefaultsFile{{Path: "/etc/default/knockd", Text: []byte(defaults)}}))
		settings, err := config.Parse("sesame.toml", []byte(text))
		if err != nil || len(settings.Warnings) > 0 || !settings.Observe {
			t.Errorf("%v %v, in\n%s", err, settings.Warnings, text)
		}
	})
}
