// Package damagetest turns a good file into damaged ones, for tests of what reads files.
//
// [testing.F] changes files too, but only where somebody runs it for long. The files here are the
// same on each machine, and each run of the tests reads some of them.
package damagetest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Mutants is the name of a variable of the environment: how many damaged files the largest test
// reads.
const Mutants = "SESAME_MUTANTS"

const (
	most  = 3_000   // damaged files of the largest test, in a run that reads all
	usual = 300     // without the variable
	grows = 1 << 16 // bytes, by one change
)

// Share returns how many damaged files a test reads, of the whole number that belongs to 3,000 of
// the largest test. It is a tenth of whole, unless the environment says otherwise, and at least 1.
func Share(t testing.TB, whole int) int {
	t.Helper()
	count := usual
	if text := os.Getenv(Mutants); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil || count < 0 {
			t.Fatalf("%s=%q: expected a number of files, such as %d", Mutants, text, most)
		}
	}
	return max(1, whole*count/most)
}

// File returns a copy of a file with one to four changes, the same for the same seed. It has at
// most 64 KiB more for each.
func File(seed uint64, file []byte) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(len(file))))
	file = bytes.Clone(file)
	for range 1 + r.IntN(4) {
		if len(file) == 0 {
			return file
		}
		file = changes[r.IntN(len(changes))](r, file)
	}
	return file
}

// changes are what damage a file. Each takes one that is not empty, and may change it.
var changes = []func(*rand.Rand, []byte) []byte{flip, number, number, digits, digits, remove, repeat, exchange, truncate}

// bounds are numbers at which readers go wrong.
var bounds = []uint64{0, 1, 1<<7 - 1, 1 << 7, 1<<8 - 1, 1<<15 - 1, 1 << 15, 1<<16 - 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// texts are the same in decimal, with others that no integer has.
var texts = []string{"0", "-1", "1e308", "65536", "4294967296", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "00000000000000000000"}

// span returns where a random part begins and ends, which is short more often than long.
func span(r *rand.Rand, file []byte) (from, to int) {
	from = r.IntN(len(file))
	longest := len(file) - from
	if r.IntN(4) > 0 {
		longest = min(longest, 64)
	}
	return from, from + 1 + r.IntN(longest)
}

func flip(r *rand.Rand, file []byte) []byte {
	for range 1 + r.IntN(4) {
		file[r.IntN(len(file))] ^= 1 << r.IntN(8)
	}
	return file
}

// number writes a bound in place of up to eight bytes, most often where a field may begin.
func number(r *rand.Rand, file []byte) []byte {
	at := r.IntN(len(file))
	if r.IntN(4) > 0 {
		at &^= 3
	}
	n := bounds[r.IntN(len(bounds))]
	var field [8]byte
	if size := 1 << r.IntN(4); r.IntN(2) == 0 {
		binary.LittleEndian.PutUint64(field[:], n)
		copy(file[at:], field[:size])
	} else {
		binary.BigEndian.PutUint64(field[:], n)
		copy(file[at:], field[8-size:])
	}
	return file
}

// digits writes a bound in place of a decimal number.
func digits(r *rand.Rand, file []byte) []byte {
	const decimal = "0123456789"
	start := r.IntN(len(file))
	from := bytes.IndexAny(file[start:], decimal)
	if from < 0 {
		return flip(r, file)
	}
	from += start
	rest := bytes.TrimLeft(file[from:], decimal)
	return bytes.Join([][]byte{file[:from], rest}, []byte(texts[r.IntN(len(texts))]))
}

func remove(r *rand.Rand, file []byte) []byte {
	from, to := span(r, file)
	return append(file[:from], file[to:]...)
}

// repeat inserts copies of a part behind it.
func repeat(r *rand.Rand, file []byte) []byte {
	from, to := span(r, file)
	part := file[from:min(to, from+grows)]
	copies := bytes.Repeat(part, 1+r.IntN(max(1, min(100, grows/len(part)))))
	return bytes.Join([][]byte{file[:to], file[to:]}, copies)
}

func exchange(r *rand.Rand, file []byte) []byte {
	from, to := span(r, file)
	at := r.IntN(len(file) - (to - from) + 1)
	part := bytes.Clone(file[from:to])
	copy(file[from:to], file[at:])
	copy(file[at:], part)
	return file
}

func truncate(r *rand.Rand, file []byte) []byte { return file[:r.IntN(len(file)+1)] }
