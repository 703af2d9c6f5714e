package spelling

import "strings"

// Shortened cuts a text that others wrote to so many bytes, and does not leave half of a character.
func Shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
