package daemon

import (
	"net/http"
	"net/http/pprof"
)

// profiles returns the handler of Go's profiles below /debug/pprof/. It is for the
// control socket, which only root and the user of the daemon can use, and never for a port.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index) // heap, goroutine, mutex and the like by their name
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
