// Package audit turns what people asked of the daemon into lines of a file, the audit log, and into
// pairs for the log.
package audit

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"sesame/daemon/terminal"
)

// An Entry is one thing that somebody asked for, and what came of it. docs/running.md describes its
// keys.
type Entry struct {
	Time    time.Time `json:"time"`
	Action  Action    `json:"action"`
	Outcome string    `json:"outcome,omitempty"` // one of the constants below, or that of a reload
	Detail  string    `json:"detail,omitempty"`  // why nothing was done

	// Who asked, as the kernel tells it; left out: that is not known, as of a signal.
	UID  *uint32 `json:"uid,omitempty"`
	User string  `json:"user,omitempty"`
	GID  *uint32 `json:"gid,omitempty"`
	PID  int     `json:"pid,omitempty"`
	// The user that logged in, whoever it became since; left out: the daemon may not see it, or
	// nobody logged in.
	LoginUID  *uint32 `json:"login_uid,omitempty"`
	LoginUser string  `json:"login_user,omitempty"`

	// What the client said of itself. Root can say anything.
	ClaimedCommand  string `json:"claimed_command,omitempty"`
	ClaimedLogin    string `json:"claimed_login,omitempty"` // the user that logged in, by number
	ClaimedSudoUser string `json:"claimed_sudo_user,omitempty"`
	ClaimedAddress  string `json:"claimed_address,omitempty"`

	// What was asked for, and what it concerned.
	Source     string `json:"source,omitempty"`
	Port       string `json:"port,omitempty"`
	TTL        string `json:"ttl,omitempty"`
	Cut        bool   `json:"cut,omitempty"`
	Grant      uint64 `json:"grant,omitempty"` // that was given
	Script     string `json:"script,omitempty"`
	Count      int    `json:"count,omitempty"` // of the grants, values or requests
	From       string `json:"from,omitempty"`
	Trial      string `json:"trial,omitempty"`
	Unguard    string `json:"unguard,omitempty"`
	Return     bool   `json:"return,omitempty"`
	SkipTests  bool   `json:"skip_tests,omitempty"`
	Force      bool   `json:"force,omitempty"`
	Withheld   bool   `json:"withheld,omitempty"` // a recording without one-time sequences
	Generation int    `json:"generation,omitempty"`
	Ports      string `json:"ports,omitempty"` // that are open now
	Signal     string `json:"signal,omitempty"`
	Direct     bool   `json:"direct,omitempty"` // without a daemon
}

// An Action is what somebody asked for.
type Action string

// The actions. Denied are requests of users who may not ask, and Lost are entries that could not be
// written; both have a count.
const (
	Grant          Action = "grant"
	Revoke         Action = "revoke"
	Forget         Action = "forget"
	Reload         Action = "reload"
	Confirm        Action = "confirm"
	Record         Action = "record"
	Signal         Action = "signal"
	FirewallRemove Action = "firewall-remove"
	Denied         Action = "denied"
	Lost           Action = "lost"
)

// Actions returns all of them.
func Actions() []Action {
	return []Action{Grant, Revoke, Forget, Reload, Confirm, Record, Signal, FirewallRemove, Denied, Lost}
}

// Outcomes. A reload has its own: "applied", "unchanged", "rejected", "held".
const (
	Done    = "done"
	Refused = "refused"
	Failed  = "failed"
	Unknown = "unknown" // nobody waited for the answer: it may have been done
)

// maxText bounds each text of an entry, in bytes.
const maxText = 4 << 10

// Line returns the entry as a line of the file.
func (e Entry) Line() []byte {
	e.clip()
	line, err := json.Marshal(e)
	if err != nil { // no field can cause it
		line = []byte(`{}`)
	}
	return append(line, '\n')
}

// Pairs returns the entry as pairs for the log, in the order of its keys. The log has its own time.
func (e Entry) Pairs() (pairs []any) {
	e.clip()
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if name == "time" || field.IsZero() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		value := field.Interface()
		if field.Kind() == reflect.String {
			value = terminal.Printable(field.String())
		}
		pairs = append(pairs, name, value)
	}
	return pairs
}

// clip cuts texts that are too long.
func (e *Entry) clip() {
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() == reflect.String && field.Len() > maxText {
			field.SetString(strings.ToValidUTF8(field.String()[:maxText], "") + " ...")
		}
	}
}

// Parse reads a line of the file.
func Parse(line []byte) (e Entry, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("reading an entry of the audit log: %w", err)
	}
	return e, nil
}

// lostEntries returns the line about entries that could not be written, at the time of the next.
func lostEntries(lost int64, next []byte) []byte {
	e, _ := Parse(next)
	return Entry{Time: e.Time, Action: Lost, Count: int(lost)}.Line()
}
