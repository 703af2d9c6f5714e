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
	replaysAsItWasDecided(t, "version1")
}

// This recording is from before there were tripwires and a bound on steps, when a listener without
// a limit had one that all sources shared. In it tripwires of today are between the knocks of
// attempts, one listener runs more steps than it may today, and another one refuses. The doors are
// loaded again in the middle.
func TestARecordingFromBeforeTripwiresReplays(t *testing.T) {
	replaysAsItWasDecided(t, "before_tripwires")
}

// This recording is from before commands could be required: each was. In it commands fail before
// and behind access.
func TestARecordingInWhichEachCommandWasRequiredReplays(t *testing.T) {
	replaysAsItWasDecided(t, "before_required")
}

// This recording is from before inputs were in secrets blocks: they are in custom blocks.
func TestARecordingWithCustomBlocksReplays(t *testing.T) {
	replaysAsItWasDecided(t, "before_secrets")
}

func replaysAsItWasDecided(t *testing.T, name string) {
	t.Helper()
	recording, err := os.ReadFile("testdata/" + name + ".pcapng.gz")
	must(t, err)
	want, err := os.ReadFile("testdata/" + name + ".jsonl")
	must(t, err)
	report, got := again(t, Config{}, recording)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("transcript (-lived +replayed):\n%s", diff)
	}
	if !report.Exact || len(report.Incomplete) > 0 {
		t.Errorf("%+v", report)
	}
}
