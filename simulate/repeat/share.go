package repeat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Share is how many of some runs had an outcome.
type Share struct{ Of, All int }

// quantile is that of the standard normal distribution which 95 % lie within, on both sides.
const quantile = 1.959963984540054

// Interval returns the limits between which the probability of the outcome is, with a confidence of
// 95 %, after Wilson (1927). They are sensible for few runs too, and for none or all of them.
func (s Share) Interval() (low, high float64) {
	if s.All <= 0 {
		return 0, 1
	}
	n, p := float64(s.All), float64(s.Of)/float64(s.All)
	scale := 1 + quantile*quantile/n
	middle := (p + quantile*quantile/(2*n)) / scale
	half := quantile * math.Sqrt(p*(1-p)/n+quantile*quantile/(4*n*n)) / scale
	low, high = max(0, middle-half), min(1, middle+half)
	if s.Of == 0 {
		low = 0 // exactly, whatever was rounded
	}
	if s.Of == s.All {
		high = 1
	}
	return low, high
}

// Has reports whether the interval has a probability.
func (s Share) Has(probability float64) bool {
	low, high := s.Interval()
	return low <= probability && probability <= high
}

// String returns "912 of 1000 (89.3 to 92.8 %)".
func (s Share) String() string {
	low, high := s.Interval()
	return fmt.Sprintf("%d of %d (%s to %s %%)", s.Of, s.All, Percent(low), Percent(high))
}

// Percent returns a probability in percent, without the sign: with one decimal, and near 0 and 100
// with as many as tell it from them.
func Percent(probability float64) string {
	percent := 100 * probability
	near, decimals := min(percent, 100-percent), 1
	for limit := 1.0; near < limit && near > 0 && decimals < 12; limit /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(percent, 'f', decimals, 64)
	if near < 1 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
