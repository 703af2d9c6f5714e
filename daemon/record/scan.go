package record

import "sesame/daemon/packet"

// Scan reads frames up to the first that is wanted, or that has a [Frame.Back], and returns it with
// the number of frames before it. After most frames without one it returns nil. The errors are
// those of [Reader.Next].
//
// Most frames of a capture are wanted by nobody. Scan costs a third of what a loop over Next costs.
func (r *Reader) Scan(most int, wanted func(link packet.LinkType, frame []byte) bool) (f *Frame, passed int, err error) {
	for passed < most {
		if !r.pcapng {
			passed += r.skipRecords(most-passed, wanted)
			if passed == most {
				break
			}
		}
		f, err := r.Next()
		if err != nil || f.Back > 0 || wanted(f.Link, f.Data) {
			return f, passed, err
		}
		passed++
	}
	return nil, passed, nil
}

// skipRecords steps over records of a pcap file that are not wanted, as long as they are whole in
// the window. It stops before the first that Next has to look at.
func (r *Reader) skipRecords(most int, wanted func(packet.LinkType, []byte) bool) (skipped int) {
	rest, latest := r.window.rest(), r.latest
	if latest.clock != r.frame.clock {
		return 0 // before the first frame
	}
	for ; skipped < most && len(rest) >= recordHeader; skipped++ {
		captured, _ := r.lengths(rest)
		size := recordHeader + int(captured)
		if captured > MaxFrame || size > len(rest) {
			break
		}
		ticks := r.ticks(rest)
		if !latest.near(ticks) || wanted(r.frame.Link, rest[recordHeader:size]) {
			break
		}
		latest.ticks = max(latest.ticks, ticks)
		rest = rest[size:]
	}
	r.window.skip(len(r.window.rest()) - len(rest))
	r.latest = latest
	r.frame.Number += skipped
	return skipped
}
