package simulate

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The recording was written by the first version of the format, as it was released. Its
// snapshot has attempts of both kinds, grants with an undo, delays, values, limits, groups,
// used one-time sequences and effects without an answer; inputs of all kinds follow. It must
// replay for ever, to the transcript that the daemon wrote when it was recorded.
func TestARecordingOfVersion1Replays(t *testing.T) {
	recording, err := os.ReadFile("testdata/version1.pcapng.gz")
	must(t, err)
	want, err := os.ReadFile("testdata/version1.jsonl")
	must(t, err)
	report, got := again(t, Config{}, recording)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("transcript (-lived +replayed):\n%s", diff)
	}
	if !report.Exact || len(report.Incomplete) > 0 {
		t.Errorf("%+v", report)
	}
}
