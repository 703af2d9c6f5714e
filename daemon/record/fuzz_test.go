package record

import (
	"errors"
	"io"
	"strings"
	"testing"

	"sesame/daemon/packet"
)

// drain reads a file to its end and checks what must hold for any bytes. It
// returns the frames' data and whether the end was a good one.
func drain(t *testing.T, file []byte) (data []string, good bool) {
	r, err := open(file)
	if err == nil {
		defer r.Close()
	}
	for number := 1; err == nil && number < 50_000; number++ {
		var f *Frame
		if f, err = r.Next(); err != nil {
			break
		}
		if f.Number != number || f.Wire < len(f.Data) || len(f.Data) > MaxFrame {
			t.Fatalf("frame %d: number %d, %d bytes captured of %d", number, f.Number, len(f.Data), f.Wire)
		}
		if year := f.Time().Year(); year < 1970 || year > 2262 {
			t.Fatalf("frame %d: year %d", number, year)
		}
		data = append(data, string(f.Data))
	}
	if err == nil || err == io.EOF {
		return data, true
	}
	_, notCapture := errors.AsType[*NotCaptureError](err)
	damaged, isDamaged := errors.AsType[*DamagedError](err)
	if !notCapture && !isDamaged || isDamaged && damaged.Frames != len(data) {
		t.Fatalf("after %d frames: %v", len(data), err)
	}
	if strings.ContainsFunc(err.Error(), func(c rune) bool { return c < ' ' }) {
		t.Fatalf("control characters in %q", err)
	}
	return data, false
}

func FuzzPcap(f *testing.F) {
	f.Add(pcap(f, samples(3)))
	f.Add(pcap(f, samples(3))[:60])
	f.Add(big().pcapHeader(magicPcapNano, packet.SLL2).record(5, 6, "one", 9).b)
	f.Add(little().u32(magicPcap).u16(2, 4).u32(0, 0, 1<<31, 1).record(5, 6, "one", 9).b)
	f.Fuzz(func(t *testing.T, file []byte) { drain(t, file) })
}

func FuzzPcapng(f *testing.F) {
	f.Add(pcapng(f, both(samples(3))))
	f.Add(pcapng(f, samples(3))[:200])
	f.Add(big().section().source(packet.SLL2, 9, big().option(optionResolution, "\x89")).packet(0, 5, "one", 9).
		block(blockSimple, func(b *writer) { b.u32(3).text("two") }).b)
	f.Add(little().section().source(packet.Raw, 0, "").block(blockPacket, func(b *writer) { b.u16(0, 0).u32(0, 0, 3, 3).text("one") }).
		block(0xbad, func(b *writer) { b.u32(1, 2, 3) }).section().b)
	f.Add(saved(f, aRecorder(f).Recording()))
	f.Add(appendCustom(appendCustom(appendInterface(appendCustom(appendSection(nil), snapshot, []byte("{}")), "any"), InputTick, []byte("{\"Time\":5}")), 99, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		frames, _ := drain(t, file)
		items(t, file, frames, (*Reader).NextItem)
		items(t, file, nil, (*Reader).NextExact)
	})
}

// items reads a file with all its inputs. The frames before any damage must be those that are read
// without, unless frames is nil.
func items(t *testing.T, file []byte, frames []string, next func(*Reader) (Item, error)) {
	r, err := open(file)
	if err != nil {
		return
	}
	defer r.Close()
	for range 50_000 {
		item, err := next(r)
		if err != nil {
			damaged, isDamaged := errors.AsType[*DamagedError](err)
			_, isCut := errors.AsType[*CutError](err)
			if err != io.EOF && !isDamaged && !isCut || isDamaged && damaged.Err == nil {
				t.Fatal(err)
			}
			return
		}
		set := 0
		if item.Frame != nil {
			set++
			if frames != nil && frames[item.Frame.Number-1] != string(item.Frame.Data) {
				t.Fatalf("frame %d differs", item.Frame.Number)
			}
		}
		if in := item.Input; in != nil {
			set++
			if _, err := in.payload(); err != nil || in.Time.IsZero() {
				t.Fatalf("%+v: %v", in, err)
			}
		}
		if s := item.Snapshot; s != nil {
			set++
			if s.State == nil {
				t.Fatal("a snapshot without a state")
			}
		}
		if set != 1 {
			t.Fatalf("%+v", item)
		}
	}
}

// FuzzCompressed damages a compressed capture, or an invented one. A damaged
// file must give a beginning of what the whole one gives. gzip and zstd learn
// of damage only by their checksums, so frames may be wrong then, and only then.
func FuzzCompressed(f *testing.F) {
	f.Add(pcap(f, samples(3)), false, 10, byte(0))
	f.Add(pcapng(f, samples(3)), true, 40, byte(1))
	f.Add(pcap(f, samples(30)), true, 1000, byte(0))
	f.Add([]byte("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00"), true, 3, byte(0xff))
	f.Fuzz(func(t *testing.T, file []byte, useZstd bool, at int, flip byte) {
		drain(t, file)
		packed := gzipped(t, file)
		if useZstd {
			packed = zstded(file)
		}
		whole, wasGood := drain(t, file)
		unpacked, good := drain(t, packed)
		if compressed(file) {
			return // packed twice, which nobody unpacks
		}
		if good != wasGood || strings.Join(unpacked, "\n") != strings.Join(whole, "\n") {
			t.Fatalf("%d frames and %v, plain %d and %v", len(unpacked), good, len(whole), wasGood)
		}
		at = int(uint(at) % uint(len(packed)))
		if flip == 0 {
			cut, _ := drain(t, packed[:at])
			if len(cut) > len(whole) || strings.Join(cut, "\n") != strings.Join(whole[:len(cut)], "\n") {
				t.Fatalf("cut at %d of %d: other frames", at, len(packed))
			}
			return
		}
		packed[at] ^= flip
		drain(t, packed)
	})
}

func compressed(file []byte) bool {
	return isZstd(file) || len(file) > 1 && file[0] == 0x1f && file[1] == 0x8b
}
