package draft_test

import (
	"strings"
	"testing"

	"sesame/simulate/pcaptest"
	"sesame/simulate/suite"
)

// FuzzDraft: of any capture the draft is an error, or a test that loads and passes. The input is a
// capture file, or the lines of one.
func FuzzDraft(f *testing.F) {
	for _, lines := range []string{
		"0s 203.0.113.9 tcp/1001\n1s 203.0.113.9 udp/1003 data=x\n30s 203.0.113.9 udp/1009 data=abc\n",
		"0s 2001:db8:9::9 tcp/1001\n1ms 2001:db8:9::9 tcp/1005\n2ms 2001:db8:9::9 udp/1003\n3ms 2001:db8:9::9 tcp/1007\n",
		"0s 203.0.113.9 udp/1003\n999999us 203.0.113.9 tcp/9\n2s 198.51.100.7 tcp/1001 ack\n3s 198.51.100.7 tcp/1001 syn,fin\n",
		"0s 203.0.113.9 udp/1009 data=bad\n1h 203.0.113.9 udp/1009 data=log\n2h 203.0.113.9 udp/1009 data=long\n",
	} {
		f.Add([]byte(lines), true)
		data, err := pcaptest.Capture(lines)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, input []byte, replace bool) {
		data := input
		if lines, err := pcaptest.Capture(string(input)); err == nil && strings.Count(string(input), "\n") < 100 {
			data = lines
		}
		written, err := writtenFor(t, dir, data, replace)
		if err != nil {
			return
		}
		if result := run(t, dir, written); result.Outcome != suite.Passed {
			t.Errorf("the test does not pass: %v %+v\n%s", result.Why, result.Failures, written)
		}
	})
}
