package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCommittedPicturesAreTheDrawnOnes(t *testing.T) {
	pictures, err := draw(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pictures {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the program draws: run make pictures, and look at it", name)
		}
	}
}

func TestExcerpt(t *testing.T) {
	capture := "Script started\n\r\n\x1b[1mOne\x1b[0m\r\ntwo\r\n\r\n\x1b[1mThree\x1b[0m\r\n"
	got, err := excerpt(capture, "Three")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"\x1b[1mOne\x1b[0m", "two"}, got); diff != "" {
		t.Errorf("excerpt (-want +got):\n%s", diff)
	}
	if _, err := excerpt(capture, "Four"); err == nil {
		t.Error("a line that is not there: expected an error")
	}
}

func TestSpans(t *testing.T) {
	got := spans("\x1b[2mserver$\x1b[0m is \x1b[32mopen\x1b[0m")
	want := []span{{0, "server$", false, true, ""}, {7, " is ", false, false, ""}, {11, "open", false, false, "32"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
