package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
)

// The ring is compared with a slice that forgets nothing.
func TestTheTailIsTheEndOfEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most, mostTexts = 100, 400
		tail := newTail(most, mostTexts)
		var all []int // packets, in order
		texts := map[int]int{}
		position, into := uint64(0), make([]engine.Event, 7)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			events := knocks(len(all)+1, rapid.SampledFrom([]int{0, 1, 3, 5, most - 1, most, 2 * most}).Draw(t, "n"))
			detail := strings.Repeat("x", rapid.SampledFrom([]int{0, 0, 3, 10, mostTexts, mostTexts + 1}).Draw(t, "detail"))
			for i := range events {
				events[i].Detail = detail
				all = append(all, events[i].Packet)
				texts[events[i].Packet] = len(detail)
			}
			tail.Add(events)
			oldest, next := tail.bounds()
			if next != uint64(len(all)) || next-oldest > most || len(all) > 0 && next == oldest {
				t.Fatalf("the tail goes from %d to %d of %d", oldest, next, len(all))
			}
			bytes := 0
			for _, p := range all[oldest:] {
				bytes += texts[p]
			}
			if bytes != tail.texts || bytes > mostTexts && next-oldest > 1 {
				t.Fatalf("%d bytes of texts, counted as %d", bytes, tail.texts)
			}
			n, first, changed := tail.read(position, into)
			if first < position || first < oldest || n == 0 && first != next || (n == 0) != (changed != nil) {
				t.Fatalf("read %d from %d on, first %d; the tail goes from %d to %d", n, position, first, oldest, next)
			}
			for i, e := range into[:n] {
				if e.Packet != all[first+uint64(i)] {
					t.Fatalf("event %d is of packet %d, want %d", first+uint64(i), e.Packet, all[first+uint64(i)])
				}
			}
			position = first + uint64(n)
		}
	})
}

func TestWhatIsNeverShownTakesNoRoom(t *testing.T) {
	tail := NewTail()
	tail.Add([]engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectPersist}, {Kind: engine.EventEffect, Effect: engine.EffectElement},
		{Kind: engine.EventEffect, Effect: engine.EffectConsume}, {Kind: engine.EventEffect, Effect: engine.EffectCommentOut}})
	if _, next := tail.bounds(); next != 0 {
		t.Error("it did")
	}
}

// A writer pays for nobody who reads.
func TestAddAllocatesNothing(t *testing.T) {
	tail, events := NewTail(), knocks(1, 1000)
	for range 11 {
		tail.Add(events)
	}
	if n := testing.AllocsPerRun(100, func() { tail.Add(events) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	tail, events := NewTail(), knocks(1, 1)
	for b.Loop() {
		tail.Add(events)
	}
}

func TestEventsInBothForms(t *testing.T) {
	w := newWorld(t)
	w.Events.Add(knocks(1, 2))
	for _, test := range []struct {
		request EventsRequest
		want    string
	}{
		{EventsRequest{JSON: true}, `{"event":"begin","transcript":1}
{"time":"2026-03-01T12:00:00Z","packet":1,"event":"stage","door":"ssh","source":"203.0.113.9","stage":1,"stages":3}
{"time":"2026-03-01T12:00:00Z","packet":2,"event":"stage","door":"ssh","source":"203.0.113.9","stage":1,"stages":3}
`},
		{EventsRequest{}, `2026-03-01 UTC
12:00:00.000  203.0.113.9      ssh  stage 1 of 3
12:00:00.000  203.0.113.9      ssh  stage 1 of 3
`},
	} {
		var out bytes.Buffer
		if err := Dial(w.socket).Events(t.Context(), test.request, &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.request, diff)
		}
	}
	w.Events.Add([]engine.Event{{Kind: engine.EventOpen, Time: noon}})
	var out bytes.Buffer
	if err := Dial(w.socket).Events(t.Context(), EventsRequest{Color: true}, &out); err != nil || !strings.Contains(out.String(), "\x1b[32mopen\x1b[0m") {
		t.Errorf("no colour: %q, %v", &out, err)
	}
}

func TestNoEventsYet(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	if err := Dial(w.socket).Events(t.Context(), EventsRequest{}, &out); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", &out, err)
	}
}

// Followers see everything, in order, each for itself; the end of the daemon
// ends them without an error.
func TestConcurrentFollowers(t *testing.T) {
	w := newWorld(t)
	w.Events.Add(knocks(1, 10))
	const each, total = 8, 5000
	var wg, complete sync.WaitGroup
	complete.Add(each)
	for range each {
		wg.Go(func() {
			r, pipe := io.Pipe()
			done := make(chan error, 1)
			go func() {
				done <- Dial(w.socket).Events(context.Background(), EventsRequest{Follow: true, JSON: true}, pipe)
				pipe.Close()
			}()
			want := 1
			for lines := bufio.NewScanner(r); lines.Scan(); {
				var line struct {
					Event  string
					Packet int
				}
				if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Event == "skipped" {
					t.Errorf("line %s: %v", lines.Text(), err)
				}
				if line.Packet == 0 {
					continue
				}
				if line.Packet != want {
					t.Errorf("packet %d, want %d", line.Packet, want)
				}
				want = line.Packet + 1
				if want > total {
					break
				}
			}
			complete.Done()
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Errorf("the end: %v", err)
			}
		})
	}
	for n := 11; n <= total; n += 10 {
		w.Events.Add(knocks(n, 10))
	}
	complete.Wait()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// A follower that does not read holds up nobody, and learns what it missed.
func TestASlowFollowerIsToldWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := NewTail()
		tail.Add(knocks(1, 1))
		r, pipe := io.Pipe() // without a buffer: the follower stands until it is read
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1) // what the follower ended with
		go func() {
			err := writeTail(ctx, tail, EventsRequest{Follow: true, JSON: true}, pipe, func() error { return nil })
			pipe.Close()
			done <- err
		}()
		synctest.Wait() // it stands
		tail.Add(knocks(2, 100_000))
		lines := bufio.NewScanner(r)
		for _, want := range []string{`{"event":"begin","transcript":1}`, `"packet":1,`, `{"event":"skipped","events":90000}`, `"packet":90002,`} {
			if !lines.Scan() || !strings.Contains(lines.Text(), want) {
				t.Fatalf("line %s, %v; want %s", lines.Text(), lines.Err(), want)
			}
		}
		cancel()
		go io.Copy(io.Discard, r)
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A flood costs its watchers a bounded part of a processor.
func TestFollowersPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := NewTail()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		batches := 0
		flush := func() error {
			batches++
			tail.Add(knocks(1, atOnce)) // there is always more
			return nil
		}
		err := writeTail(ctx, tail, EventsRequest{Follow: true}, io.Discard, flush)
		if !errors.Is(err, context.DeadlineExceeded) || batches < 49 || batches > 52 {
			t.Errorf("%d batches in a second, then %v", batches, err)
		}
	})
}

// Who does not follow gets what there was when it asked, however much comes.
func TestReadingEndsAmidAFlood(t *testing.T) {
	tail := NewTail()
	tail.Add(knocks(1, 2500))
	batches := 0
	flush := func() error {
		batches++
		tail.Add(knocks(1, 100))
		return nil
	}
	var out bytes.Buffer
	if err := writeTail(t.Context(), tail, EventsRequest{JSON: true}, &out, flush); err != nil || batches != 3 || strings.Count(out.String(), "\n") != 2501 {
		t.Errorf("%d batches, %d lines, %v", batches, strings.Count(out.String(), "\n"), err)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	began := make(chan struct{}, maxFollowers)
	for range maxFollowers {
		wg.Go(func() {
			err := Dial(w.socket).Events(ctx, EventsRequest{Follow: true, JSON: true}, first(began))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a follower: %v", err)
			}
		})
	}
	for range maxFollowers {
		<-began
	}
	err := Dial(w.socket).Events(t.Context(), EventsRequest{Follow: true}, io.Discard)
	if err == nil || err.Error() != "16 follow the events already: end one of them" {
		t.Errorf("one more: %v", err)
	}
	if err := Dial(w.socket).Events(t.Context(), EventsRequest{}, io.Discard); err != nil {
		t.Errorf("who does not follow: %v", err)
	}
	cancel()
	wg.Wait()
	// Their room is free again as soon as the daemon knows that they are gone.
	again, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	for again.Err() == nil {
		asked, enough := context.WithCancel(again)
		err := Dial(w.socket).Events(asked, EventsRequest{Follow: true, JSON: true}, cancelling(enough))
		enough()
		if errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Error("the room of followers that are gone stays taken")
}

// first tells of the first bytes that are written.
func first(told chan<- struct{}) io.Writer {
	once := sync.OnceFunc(func() { told <- struct{}{} })
	return writerFunc(func(b []byte) (int, error) { once(); return len(b), nil })
}

func cancelling(cancel func()) io.Writer {
	return writerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil })
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A follower that has stopped reading does not keep the daemon from ending.
func TestTheDaemonEndsWhateverItsFollowersDo(t *testing.T) {
	w := newWorld(t)
	c, err := net.Dial("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/events?follow=true HTTP/1.1\r\nHost: sesame\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 15)
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q, %v", head, err)
	}
	for range 20 { // far more than the socket's buffer holds
		w.Events.Add(knocks(1, 1000))
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute): // a follower may take its time: forFollower
		t.Fatal("the daemon waits for a follower that does not read")
	}
}
