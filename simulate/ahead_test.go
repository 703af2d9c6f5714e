package simulate

import (
	"container/heap"
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// counting counts how often two frames are compared.
type counting struct {
	*ahead
	compared int
}

func (c *counting) Less(i, j int) bool { c.compared++; return c.ahead.Less(i, j) }

// Frames leave by their time, then by their number. For each frame that comes and goes, the work
// grows only with the logarithm of how many there are, in whatever order they come.
func TestFramesReadAhead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seconds := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 200).Draw(rt, "seconds")
		c := &counting{ahead: &ahead{}}
		var want []string
		for i, s := range seconds {
			heap.Push(c, &held{frame: record.Frame{Number: i}, at: noon.Add(time.Duration(s) * time.Second)})
			want = append(want, fmt.Sprintf("%d %03d", s, i))
		}
		slices.Sort(want)
		for _, w := range want {
			h := heap.Pop(c).(*held)
			if got := fmt.Sprintf("%d %03d", h.at.Sub(noon)/time.Second, h.frame.Number); got != w {
				rt.Fatalf("%s came, %s was expected", got, w)
			}
		}
		if most := 3 * len(seconds) * bits.Len(uint(len(seconds))); c.compared > most {
			rt.Errorf("%d frames were compared %d times, expected at most %d", len(seconds), c.compared, most)
		}
	})
}

// The memory for what is read ahead is bounded, also when the frames have no bytes, and all
// captures share it.
func TestReadingAheadIsBounded(t *testing.T) {
	if size := reflect.TypeFor[held]().Size(); size+32 > heldCost {
		t.Errorf("a frame takes %d bytes", size)
	}
	for name, one := range map[string]string{"datagrams": "0s 203.0.113.9 udp/7000 data=hello\n", "frames of one byte": "0s 203.0.113.9 udp/7000 snap=1\n"} {
		t.Run(name, func(t *testing.T) {
			const frames = 120_000
			paths := []string{write(t, strings.Repeat(one, frames))}
			for i := range 5 {
				paths = append(paths, write(t, fmt.Sprintf("1s 198.51.100.%d udp/7000", i)))
			}
			opened, err := open(paths)
			must(t, err)
			defer opened.close()
			p, most, held := newPass(Config{Set: set(door("ssh", 7000, 8000))}, opened), 0, 0
			p.wants = func(packet.LinkType, []byte) bool {
				sum := 0
				for _, c := range opened {
					sum, held = sum+c.ahead.bytes, max(held, c.ahead.Len())
				}
				most = max(most, sum)
				return true
			}
			p.read(t.Context())
			if p.packets != frames+5 || most < mostAhead/len(paths) || most > mostAhead || held > mostAhead/len(paths)/heldCost+1 {
				t.Errorf("%d packets; at most %d bytes, and %d frames of one capture, were held", p.packets, most, held)
			}
		})
	}
}
