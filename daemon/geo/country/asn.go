package country

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseASN reads the number of an autonomous system that a person wrote, such as 3352 or AS3352.
// The number 0 belongs to nobody (RFC 7607).
func ParseASN(text string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "AS"), 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf(`%.40q is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`, text)
	}
	return uint32(n), nil
}
