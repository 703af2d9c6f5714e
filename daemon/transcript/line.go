package transcript

import (
	"strconv"
	"time"
)

// A Pair is a key of a line and its value: a string, an int, a float64, a bool, a [time.Duration],
// a [time.Time], or some strings.
type Pair struct {
	Key   string
	Value any
}

// Line writes one more line: an object with the keys of these pairs, in their order. It leaves out
// each that has a zero value, which means that it does not apply. A value of another type is left
// out too.
func (j *JSON) Line(pairs ...Pair) {
	o := object{j.out.buf}
	for _, p := range pairs {
		o.pair(p)
	}
	if len(o.buf) > len(j.out.buf) {
		j.out.buf = o.end()
	}
	j.out.flushIfLarge()
}

func (o *object) pair(p Pair) {
	switch value := p.Value.(type) {
	case string:
		o.text(p.Key, value)
	case int:
		o.positive(p.Key, value)
	case float64:
		if value != 0 {
			o.key(p.Key)
			o.buf = strconv.AppendFloat(o.buf, value, 'f', -1, 64)
		}
	case bool:
		if value {
			o.key(p.Key)
			o.buf = append(o.buf, "true"...)
		}
	case time.Duration:
		if value != 0 {
			o.string(p.Key, Duration(value))
		}
	case time.Time:
		if !value.IsZero() {
			o.string(p.Key, value.UTC().Format(time.RFC3339Nano))
		}
	case []string:
		o.strings(p.Key, value)
	}
}

// strings leaves the key out for no strings.
func (o *object) strings(name string, all []string) {
	if all == nil {
		return
	}
	o.key(name)
	o.buf = appendStrings(o.buf, all)
}
