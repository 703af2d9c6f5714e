package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sesame/daemon/packet"
)

// both sends every other sample by the second interface.
func both(list []sample) []sample {
	for i := range list {
		if i%2 == 1 {
			list[i].Link = packet.Raw
		}
	}
	return list
}

func TestRead(t *testing.T) {
	plain, mixed := samples(200), both(samples(200))
	for _, test := range []struct {
		name, format string
		file         []byte
		want         []sample
	}{
		{"pcap", "pcap", pcap(t, plain), plain},
		{"pcap.gz", "pcap, gzip", gzipped(t, pcap(t, plain)), plain},
		{"pcap.zst", "pcap, zstd", zstded(pcap(t, plain)), plain},
		{"pcapng", "pcapng", pcapng(t, mixed), mixed},
		{"pcapng.gz", "pcapng, gzip", gzipped(t, pcapng(t, mixed)), mixed},
		{"pcapng.zst", "pcapng, zstd", zstded(pcapng(t, mixed)), mixed},
		{"two gzip members", "pcap, gzip", append(gzipped(t, pcap(t, plain)[:500]), gzipped(t, pcap(t, plain)[500:])...), plain},
		{"two zstd frames", "pcap, zstd", append(zstded(pcap(t, plain)[:500]), zstded(pcap(t, plain)[500:])...), plain},
		{"zstd behind a frame to skip", "pcap, zstd", append([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00xx"), zstded(pcap(t, plain))...), plain},
	} {
		for _, input := range []struct {
			name string
			wrap func(io.Reader) io.Reader
		}{
			{"at once", func(r io.Reader) io.Reader { return r }},
			{"byte by byte", iotest.OneByteReader},
			{"data with the end", iotest.DataErrReader},
		} {
			t.Run(test.name+", "+input.name, func(t *testing.T) {
				defer goleak.VerifyNone(t)
				r, err := NewReader(input.wrap(bytes.NewReader(test.file)), int64(len(test.file)), test.name)
				check(t, err)
				got, err := read(r)
				check(t, err)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("frames (-want +got):\n%s", diff)
				}
				if r.Format() != test.format {
					t.Errorf("format %q, want %q", r.Format(), test.format)
				}
				if n, size := r.Progress(); n != size || size != int64(len(test.file)) {
					t.Errorf("progress: %d of %d, the file has %d", n, size, len(test.file))
				}
				check(t, r.Close())
			})
		}
	}
}

func TestFramesAreNumbered(t *testing.T) {
	r, err := open(pcap(t, samples(3)))
	check(t, err)
	for want := 1; want <= 3; want++ {
		f, err := r.Next()
		check(t, err)
		if f.Number != want {
			t.Errorf("number %d, want %d", f.Number, want)
		}
	}
}

// A file cut at any byte gives all frames that are whole, and says so.
func TestTruncatedAnywhere(t *testing.T) {
	list := samples(5)
	for name, file := range map[string][]byte{"pcap": pcap(t, list), "pcapng": pcapng(t, list)} {
		ends := map[int]int{} // length of file -> frames in it, where nothing is missing
		r, err := open(file)
		check(t, err)
		ends[r.position()] = 0
		for n := 1; ; n++ {
			if _, err := r.Next(); err != nil {
				break
			}
			ends[r.position()] = n
		}
		for n := 1; n < len(file); n++ {
			testTruncated(t, name, file[:n], list, ends)
		}
	}
}

// position returns how much of a plain file was handed out.
func (r *Reader) position() int { return int(r.input.n) - (r.window.end - r.window.start) }

func testTruncated(t *testing.T, name string, file []byte, list []sample, ends map[int]int) {
	got, err := readAll(file)
	if len(got) > 0 && !cmp.Equal(got, list[:len(got)]) {
		t.Fatalf("%s: first %d bytes: wrong frames", name, len(file))
	}
	if want, whole := ends[len(file)]; whole {
		if err != nil || len(got) != want {
			t.Errorf("%s: first %d bytes: %d frames, %v; want %d", name, len(file), len(got), err, want)
		}
		return
	}
	damage, ok := errors.AsType[*DamagedError](err)
	// Without a whole block, interfaces of a pcapng file may be missing, which is no damage.
	if name == "pcapng" && err == nil && len(got) == 0 {
		return
	}
	if len(file) < 4 {
		if _, ok := errors.AsType[*NotCaptureError](err); !ok {
			t.Errorf("%s: first %d bytes: %v", name, len(file), err)
		}
		return
	}
	if !ok || damage.Frames != len(got) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%s: first %d bytes: %d frames, then %v", name, len(file), len(got), err)
	}
}

func TestTruncatedCompressed(t *testing.T) {
	list := samples(2000)
	for name, file := range map[string][]byte{
		"gzip": gzipped(t, pcap(t, list)), "zstd": zstded(pcapng(t, list)),
	} {
		got, err := readAll(file[:len(file)-3])
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
		if !cmp.Equal(got, list[:len(got)]) {
			t.Errorf("%s: wrong frames", name)
		}
	}
}

func TestErrorsStay(t *testing.T) {
	r, err := open(pcap(t, samples(2))[:50])
	check(t, err)
	_, first := read(r)
	if _, again := r.Next(); again != first {
		t.Errorf("first %v, then %v", first, again)
	}
}

func TestInputFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	file := pcap(t, samples(3))
	r, err := NewReader(io.MultiReader(bytes.NewReader(file), iotest.ErrReader(broken)), -1, "knocks")
	check(t, err)
	got, err := read(r)
	if len(got) != 3 || !errors.Is(err, broken) || err.Error() != "knocks: damaged after packet 3: the disk is on fire" {
		t.Errorf("%d frames, then %v", len(got), err)
	}
	if _, err := NewReader(iotest.ErrReader(broken), -1, "knocks"); !errors.Is(err, broken) {
		t.Errorf("at the start: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestInputNeverGivesAnything(t *testing.T) {
	r, err := NewReader(io.MultiReader(bytes.NewReader(pcap(t, samples(3))), idle{}), -1, "knocks")
	check(t, err)
	if _, err := read(r); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}

// What a pipe has given must be seen before it gives more.
func TestPipeIsReadAsItComes(t *testing.T) {
	in, out := io.Pipe()
	file := pcap(t, samples(2))
	read := make(chan int)
	go func() {
		out.Write(file[:24])
		for range 2 {
			out.Write(file[24:])
			<-read
		}
		out.Close()
	}()
	r, err := NewReader(in, -1, "pipe")
	check(t, err)
	for n := range 4 {
		_, err := r.Next()
		check(t, err)
		if n%2 == 1 {
			read <- n
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "knocks.pcap")
	check(t, os.WriteFile(path, pcap(t, samples(3)), 0o600))
	r, err := Open(path)
	check(t, err)
	if got, err := read(r); len(got) != 3 || err != nil {
		t.Errorf("%d frames, %v", len(got), err)
	}
	check(t, r.Close())
	if _, err := Open(dir); err == nil || err.Error() != dir+": a directory, expected a capture: pcap or pcapng, plain or compressed with gzip or zstd" {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestOpenStandardInput(t *testing.T) {
	in, out, err := os.Pipe()
	check(t, err)
	defer func(stdin *os.File) { os.Stdin = stdin; in.Close() }(os.Stdin)
	os.Stdin = in
	_, err = out.Write(pcap(t, samples(3)))
	check(t, err)
	check(t, out.Close())
	r, err := Open("-")
	check(t, err)
	if got, err := read(r); len(got) != 3 || err != nil {
		t.Errorf("%d frames, %v", len(got), err)
	}
	if _, size := r.Progress(); size != -1 {
		t.Errorf("size %d", size)
	}
	check(t, r.Close())
	if _, err := in.Stat(); err != nil {
		t.Errorf("standard input is closed: %v", err)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	list := both(samples(3000))
	for name, file := range map[string][]byte{"pcap": pcap(t, list), "pcapng": pcapng(t, list)} {
		r, err := open(file)
		check(t, err)
		_, err = r.Next()
		check(t, err)
		if n := testing.AllocsPerRun(2000, func() { r.Next() }); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

// A bomb costs time, but no memory.
func TestBombs(t *testing.T) {
	const size = 64 << 20
	bomb := append(pcap(t, nil), make([]byte, size)...) // empty records
	for name, file := range map[string][]byte{"gzip": gzipped(t, bomb), "zstd": zstded(bomb)} {
		t.Run(name, func(t *testing.T) {
			frames := 0
			used := allocated(func() {
				r, err := open(file)
				check(t, err)
				for {
					if _, err := r.Next(); err != nil {
						break
					}
					frames++
				}
				check(t, r.Close())
			})
			if frames != size/recordHeader {
				t.Errorf("%d frames", frames)
			}
			if used > 16<<20 {
				t.Errorf("%d bytes were allocated for %d", used, len(file))
			}
		})
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func BenchmarkRead(b *testing.B) {
	list := samples(1)
	list[0].Data, list[0].Wire = string(make([]byte, 60)), 60
	for range 20 {
		list = append(list, list...)
	}
	list = list[:1_000_000]
	plain, ng := pcap(b, list), pcapng(b, list)
	for _, bench := range []struct {
		name string
		file []byte
	}{
		{"pcap", plain}, {"pcapng", ng},
		{"pcap.gz", gzipped(b, plain)}, {"pcap.zst", zstded(plain)},
	} {
		path := filepath.Join(b.TempDir(), "bench")
		check(b, os.WriteFile(path, bench.file, 0o600))
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := Open(path)
				check(b, err)
				for {
					if _, err := r.Next(); err != nil {
						break
					}
				}
				if r.frame.Number != len(list) {
					b.Fatalf("%d frames", r.frame.Number)
				}
				check(b, r.Close())
			}
			b.ReportMetric(float64(b.N)*float64(len(list))/b.Elapsed().Seconds()/1e6, "Mpackets/s")
		})
	}
}
