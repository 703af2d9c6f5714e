package engine

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// sharing is the door of a command that all sources share.
func sharing(t *testing.T, name, port string) *Door {
	shared := mount
	shared.Shared = true
	return scripted(aDoor(t, name, port), HookOpen, always(shared))
}

func TestTheLastGrantOfASharedCommandRunsItsUndo(t *testing.T) {
	w := newWorld(t, sharing(t, "a", "udp/501"), sharing(t, "b", "udp/502"))
	w.knock(alice, "udp/501")
	w.advance(30 * time.Second)
	w.knock(bob, "udp/502")
	w.advance(20 * time.Second)
	t.Log("# a renewal by the one who came first")
	w.knock(alice, "udp/501")
	w.tick(time.Hour)
	for _, event := range w.got { // the runner keeps the order of those that say so
		if isCommand := event.Effect == EffectExec || event.Effect == EffectUndo; event.Shared != isCommand {
			t.Errorf("shared is %t: %s", event.Shared, brief(event))
		}
	}
	w.want(
		"0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9", "0s effect a 203.0.113.9 exec #1 1m0s /bin/mount /mnt",
		"30s stage b 203.0.113.77 1/1", "30s open b 203.0.113.77", "30s effect b 203.0.113.77 exec #2 1m0s",
		"50s stage a 203.0.113.9 1/1", "50s open a 203.0.113.9", "50s effect a 203.0.113.9 exec #1 1m0s",
		"1m30s close b 203.0.113.77 #2 expired",
		"1m50s close a 203.0.113.9 #1 expired", "1m50s effect a 203.0.113.9 undo #1 /bin/umount /mnt",
	)
}

func TestHoldersOfASharedCommand(t *testing.T) {
	w := newWorld(t, sharing(t, "a", "udp/501"), sharing(t, "b", "udp/502"), scripted(aDoor(t, "c", "udp/503"), HookOpen, always(mount)))
	w.knock(alice, "udp/501", "udp/502", "udp/503", "udp/501")
	w.knock(bob, "udp/501", "udp/503")
	for _, g := range w.e.Grants() {
		want := 1
		if g.Shared {
			want = 3 // those of alice at two doors, and that of bob
		}
		if got := w.e.Holders(&g); got != want {
			t.Errorf("%d grants hold grant %d of door %s, want %d", got, g.ID, g.Door, want)
		}
	}
}

// A grant whose command may have any exit status stands when it fails, and so does what is known
// of that: until the command runs again, and for all that share the run.
func TestWhatIsKnownOfACommandThatFailed(t *testing.T) {
	lenient := mount
	lenient.AnyStatus, lenient.Shared = true, true
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(lenient)), scripted(aDoor(t, "b", "udp/502"), HookOpen, always(mount)))
	known := func(want ...string) {
		t.Helper()
		var got []string
		for _, g := range w.e.Grants() {
			text := "-"
			if failed := w.e.Failure(&g); failed != nil {
				text = failed.Error()
			}
			got = append(got, text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("known of the grants: %q, want %q", got, want)
		}
	}
	w.knock(alice, "udp/501", "udp/502")
	ids := w.takeAwaited()
	known("-", "-")
	w.record(w.e.Result(w.now, ids[0], &CommandError{Status: 3, Text: "exit status 3"}))
	w.record(w.e.Result(w.now, ids[1], nil))
	w.knock(bob, "udp/501")
	known("exit status 3", "-", "exit status 3")
	t.Log("# those of the run end, and the next one is another")
	w.tick(time.Hour)
	known()
	w.got = nil
	w.knock(alice, "udp/501")
	known("-")
	t.Log("# whose answer is not that of the one before")
	id := w.takeAwaited()[0]
	w.record(w.e.Revoke(w.now, single(netip.MustParseAddr(alice)), packet.Port{}, false))
	w.knock(alice, "udp/501")
	w.record(w.e.Result(w.now, id, &CommandError{Status: 3, Text: "exit status 3"}))
	known("-")
}

func TestASharedCommandAndOneThatIsNotAreTwo(t *testing.T) {
	w := newWorld(t, sharing(t, "a", "udp/501"), scripted(aDoor(t, "b", "udp/502"), HookOpen, always(mount)))
	w.knock(alice, "udp/501", "udp/502")
	w.knock(bob, "udp/502")
	ran := 0
	for _, event := range w.got {
		if event.Effect == EffectExec && event.Argv != nil {
			ran++
		}
	}
	if ran != 3 {
		t.Errorf("the command ran %d times, want 3: once for all, and once for each source", ran)
	}
}

func TestASharedCommandThatFailsEndsTheGrantsOfAll(t *testing.T) {
	w := newWorld(t, sharing(t, "a", "udp/501"))
	w.knock(alice, "udp/501")
	id := w.got[len(w.got)-1].ID
	w.knock(bob, "udp/501")
	w.got = nil
	w.record(w.e.Result(w.now, id, errors.New("no such device")))
	w.tick(time.Hour)
	w.want("0s failed a 203.0.113.9 exec #1 (no such device)", "0s close a 203.0.113.9 #1 failed", "0s close a 203.0.113.77 #2 failed")
}

func TestAShutdownUndoesASharedCommandOnce(t *testing.T) {
	w := newWorld(t, sharing(t, "a", "udp/501"))
	w.knock(alice, "udp/501")
	w.knock(bob, "udp/501")
	w.got = nil
	w.record(w.e.Shutdown(w.now))
	w.want("0s close a 203.0.113.9 #1 shutdown", "0s close a 203.0.113.77 #2 shutdown", "0s effect a 203.0.113.77 undo #2 /bin/umount /mnt")
}

// restored returns a world where two sources have a shared command from before a restart.
func restored(t *testing.T) *world {
	w := newWorld(t, sharing(t, "a", "udp/501"))
	var records []Record
	for i, name := range []string{alice, bob} {
		source := netip.MustParseAddr(name)
		records = append(records, Record{Grant: &Grant{
			ID: uint64(7 + i), Door: "a", By: source, Source: single(source), Argv: mount.Argv, Undo: mount.Undo, Shared: true,
			Timeout: time.Second, TTL: time.Hour, End: monday.Add(time.Duration(i+1) * time.Hour),
		}})
	}
	w.record(w.e.Restore(w.now, records))
	w.want()
	return w
}

func TestASharedCommandIsUndoneOnceAfterARestart(t *testing.T) {
	w := restored(t)
	w.tick(3 * time.Hour)
	w.want("1h0m0s close a 203.0.113.9 #7 expired", "2h0m0s close a 203.0.113.77 #8 expired", "2h0m0s effect a 203.0.113.77 undo #8 /bin/umount /mnt")
}

// The command may be gone since the restart, so it runs again. That must not end the grant of
// somebody who did nothing.
func TestASharedCommandRunsAgainForAllAfterARestart(t *testing.T) {
	w := restored(t)
	w.knock(alice, "udp/501")
	var undo Event
	for _, event := range w.got {
		if event.Effect == EffectUndo {
			undo = event
		}
	}
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9",
		"0s effect a 203.0.113.9 undo #7 /bin/umount /mnt", "0s effect a 203.0.113.9 exec #7 1h0m0s /bin/mount /mnt")
	t.Log("# the record of a grant that lives stays, although its undo ran")
	for _, event := range w.e.Result(w.now, undo.ID, nil) {
		if event.Persist != nil && event.Persist.Ended {
			t.Errorf("the record of grant %d is over", event.Persist.Grant.ID)
		}
	}
	w.tick(3 * time.Hour)
	w.want("1h0m0s close a 203.0.113.9 #7 expired", "2h0m0s close a 203.0.113.77 #8 expired", "2h0m0s effect a 203.0.113.77 undo #8 /bin/umount /mnt")
}

func TestASharedCommandThatCannotRunAgainIsOverForAll(t *testing.T) {
	w := restored(t)
	w.knock(alice, "udp/501")
	id := w.got[len(w.got)-1].ID
	w.got = nil
	w.record(w.e.Result(w.now, id, errors.New("no such device")))
	w.tick(3 * time.Hour)
	w.want("0s failed a 203.0.113.9 exec #7 (no such device)", "0s close a 203.0.113.9 #7 failed", "0s close a 203.0.113.77 #8 failed")
}
