//go:build !linux

package executable

// denied says nothing: no daemon runs here.
func denied(string) string { return "" }
