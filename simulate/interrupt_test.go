package simulate

import (
	"context"
	"strings"
	"testing"

	"sesame/daemon/transcript"
)

// Whoever interrupts a replay learns what was found so far, and that there was more.
func TestAReplayThatIsInterrupted(t *testing.T) {
	long := write(t, "0s 203.0.113.9 tcp/7000\n"+strings.Repeat("1s 198.51.100.7 tcp/443\n", 70_000)+"2s 203.0.113.9 tcp/8000")
	other := write(t, "0s 198.51.100.7 tcp/443")
	for name, captures := range map[string][]string{"one file": {long}, "several files": {other, long}} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			var told strings.Builder
			c := Config{Captures: captures, Set: set(door("ssh", 7000, 8000)), Writer: transcript.NewJSON(&told), Account: true,
				Progress: func(string, int64, int64) { interrupt() }}
			report, err := Run(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			if report.Packets > progressMask+2 || report.Knocks != 1 || report.Opens != 0 || !strings.Contains(told.String(), `"stage":1`) {
				t.Errorf("%+v\n%s", report.Summary, told.String())
			}
			if len(report.Incomplete) == 0 || !strings.HasPrefix(report.Incomplete[0].Error(), long+": interrupted after 65,53") {
				t.Errorf("incomplete: %v", report.Incomplete)
			}
			var account strings.Builder
			must(t, report.WriteAccount(&account))
			if !strings.Contains(account.String(), "203.0.113.9") {
				t.Errorf("the account so far:\n%s", account.String())
			}
		})
	}
}
