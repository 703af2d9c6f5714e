package client

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptions(t *testing.T) {
	tcp, udp := Knock{Port: 7000}, Knock{Port: 8000, UDP: true}
	base := func(change func(*options)) *options {
		o := &options{host: "h", knocks: []Knock{tcp, udp}, delay: defaultDelay}
		change(o)
		return o
	}
	for _, tt := range []struct {
		line string
		want *options
	}{
		{"h 7000 8000:udp", base(func(*options) {})},
		{"h tcp/7000 udp/8000", base(func(*options) {})},
		{"-d 300 h 7000:tcp 8000:udp", base(func(o *options) { o.delay = 300 * time.Millisecond })},
		{"h 7000:tcp 8000:udp -d300", base(func(o *options) { o.delay = 300 * time.Millisecond })},
		{"h --delay 1.5s 7000 8000:udp", base(func(o *options) { o.delay = 1500 * time.Millisecond })},
		{"--delay=0 h 7000 8000:udp", base(func(o *options) { o.delay = 0 })},
		{"-vd5 -4 h 7000 8000:udp", base(func(o *options) { o.delay = 5 * time.Millisecond; o.verbose, o.ipv4 = true, true })},
		{"-6v h 7000 8000:udp", base(func(o *options) { o.verbose, o.ipv6 = true, true })},
		{"--ipv4 --ipv6 --verb h 7000 8000:udp", base(func(o *options) { o.verbose, o.ipv4, o.ipv6 = true, true, true })},
		{"--then 22 -- h 7000 8000:udp", base(func(o *options) { o.then = &Knock{Port: 22} })},
		{"h 7000 8000:udp --then=tcp/22", base(func(o *options) { o.then = &Knock{Port: 22} })},
		{"-u h 7000:tcp tcp/8000", base(func(o *options) { o.udp, o.knocks[0].UDP = true, true })},
		{"h -h", &options{help: true, delay: defaultDelay}},
		{"-V", &options{version: true, delay: defaultDelay}},
	} {
		got, err := parseOptions(strings.Fields(tt.line))
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for line, want := range map[string]string{
		"":                            "which host, and which knocks?",
		"h":                           `which knocks? Name the ports of "h" in their order`,
		"-x h 1":                      `unknown option "-x" in "-x"`,
		"-vx h 1":                     `unknown option "-x" in "-vx"`,
		"--frobnicate h 1":            "unknown option --frobnicate",
		"--ver h 1":                   "option --ver can mean --verbose or --version",
		"--ipv h 1":                   "option --ipv can mean --ipv4 or --ipv6",
		"--udp=yes h 1":               "option --udp takes no value",
		"h 1 -d":                      "option -d needs a value",
		"h 1 --then":                  "option --then needs a value",
		"-d -1 h 1":                   `--delay "-1": expected milliseconds`,
		"-d 2h h 1":                   `--delay "2h": expected milliseconds`,
		"-d 9223372036854775807 h 1":  `--delay "9223372036854775807": expected`,
		"-d -9223372036854775807 h 1": `--delay "-9223372036854775807": expected`,
		"-d 99999999999999999999 h 1": `--delay "99999999999999999999": expected`,
		"-d fast h 1":                 `--delay "fast": expected milliseconds, as in 250, or a duration from 0s to 1h, as in 1.5s`,
		"--then udp/53 h 1":           "--then udp/53: only a TCP port tells whether it is open",
		"--then ssh h 1":              `--then: knock "ssh": expected a port`,
		"h 1 -":                       `knock "-": expected a port`,
		"h 8000:UDP":                  `knock "8000:UDP": unknown protocol`,
	} {
		if got, err := parseOptions(strings.Fields(line)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %+v, %v: expected the error %s...", line, got, err, want)
		}
	}
}
