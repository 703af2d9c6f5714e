package record

import (
	"slices"
	"strings"
	"testing"
)

// parts returns the parts of a stream of these entries, each of a few bytes.
func parts(recording uint64, entries ...entry) (list [][]byte) {
	data := ours.AppendUint64(nil, 5)
	for _, e := range entries {
		data = appendWords(data, uint32(e.kind), uint32(len(e.payload)))
		data = ours.AppendUint64(ours.AppendUint64(data, e.at.inputs), e.at.packets)
		data = append(data, e.payload...)
	}
	for number, piece := range slices.Collect(slices.Chunk(data, 30)) {
		b := append([]byte(magic), 2)
		b = appendWords(b, secretsForm, uint32(number))
		list = append(list, append(ours.AppendUint64(b, recording), piece...))
	}
	return list
}

var someEntries = []entry{
	{snapshot, place{3, 7}, []byte("{}")}, {InputTick, place{3, 7}, []byte("one")}, {InputTick, place{4, 9}, []byte("two")}, {kindEnd, place{5, 9}, nil},
}

// Programs may write the parts in any order, and twice.
func TestPartsComeInAnyOrder(t *testing.T) {
	list := parts(1, someEntries...)
	backwards := slices.Clone(list)
	slices.Reverse(backwards)
	for name, order := range map[string][][]byte{"in order": list, "backwards": backwards, "twice": append(slices.Clone(list), list...)} {
		a := &assembly{}
		for _, part := range order {
			check(t, a.part(part))
		}
		var got []string
		for _, e := range a.queue {
			got = append(got, string(e.payload))
		}
		if !slices.Equal(got, []string{"{}", "one", "two"}) || !a.whole || a.end != (place{5, 9}) {
			t.Errorf("%s: %q, whole: %v", name, got, a.whole)
		}
	}
}

func TestHostileParts(t *testing.T) {
	first := someEntries[0]
	for _, tt := range []struct {
		name string
		list [][]byte
		want string
	}{
		{"too short", [][]byte{[]byte(magic)}, "a part of a recording of 7 bytes"},
		{"another version", [][]byte{append([]byte(magic+"\x09"), make([]byte, 40)...)}, "version 9"},
		{"another form", [][]byte{append([]byte(magic+"\x02\x07\x00"), make([]byte, 40)...)}, "form 7, expected 1"},
		{"no snapshot first", parts(1, someEntries[1]), "without a snapshot"},
		{"an input is missing", parts(1, first, entry{InputTick, place{4, 9}, nil}), "input 5 follows input 3"},
		{"back in time", parts(1, first, entry{InputTick, place{3, 9}, nil}, entry{InputTick, place{4, 8}, nil}), "behind packet 8"},
		{"behind the end", parts(1, first, entry{kindEnd, place{3, 9}, nil}, entry{InputTick, place{3, 9}, nil}), "behind the end"},
	} {
		a := &assembly{}
		var err error
		for _, part := range tt.list {
			if err = a.part(part); err != nil {
				break
			}
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	t.Log("# more than any daemon writes")
	a := &assembly{}
	for id := range uint64(maxStreams) {
		check(t, a.part(parts(id, first)[0]))
	}
	if err := a.part(parts(maxStreams, first)[0]); err == nil {
		t.Error("a recording too many is taken")
	}
	a = &assembly{}
	part := parts(1, first)[0]
	for number := uint32(maxAhead); number > 0; number-- {
		ours.PutUint32(part[12:], number)
		check(t, a.part(part))
	}
	ours.PutUint32(part[12:], maxAhead+1)
	if err := a.part(part); err == nil {
		t.Error("a part too many is held")
	}
	huge := appendWords(ours.AppendUint64(nil, 5), uint32(InputTick), maxPayload+1, 0, 0, 0, 0)
	if err := (&assembly{}).part(append(parts(1)[0][:partHeader], huge...)); err == nil || !strings.Contains(err.Error(), "256 MiB") {
		t.Errorf("error %v", err)
	}
}
