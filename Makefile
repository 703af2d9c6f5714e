SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: build packages test quick differential lint demo replay bench bench-read bench-live system-test package-test fuzz pcaps docs pictures clean

FUZZTIME    ?= 1m
COUNT       ?= 6
RUNS        ?= 500
SEED        ?= 1
TESTFLAGS   ?=
TOOL        := go tool -modfile=.ci/tools/go.mod
STATICCHECK := $(TOOL) staticcheck -checks all
# Each switch over an enumeration of ours has a case for each value: a default is no excuse.
EXHAUSTIVE  := $(TOOL) exhaustive -typeonly '^sesame/' -constignore 'engine\.EffectTest$$' -constignore 'packet\.Drops$$'

build: # ./sesame and ./knock, each one static file
	CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags '-s -w' -o ./ ./cmd/sesame ./cmd/knock

# Settings: DIST, ARCHITECTURES (of Go; arm is version 7), FORMATS, VERSION, MAINTAINER. make gives
# them to the script, where they are explained. The same commit gives the same bytes.
packages: # deb and rpm for amd64, arm64, armv7 and riscv64, in dist/
	@.ci/packages/build

test: lint # everything, once
	@.ci/install
	go test -race -parallel 4 -timeout 20m $(TESTFLAGS) ./...

# Left out: all that needs root, the built program in namespaces, and builds for other systems.
quick: lint # lint and unit tests: no root, no network namespaces; seconds when little changed, a minute when all tests run
	go test -short -p 4 -skip '^(TestReal|TestItBuildsWhereNoDaemonRuns)' $$(go list ./... | grep -v '/e2e$$')

# As root, for some four minutes.
differential: # 500 random scenarios and the named ones, to Debian's knockd and to the daemon at once
	@.ci/install
	SESAME_KNOCKD_RUNS=$(RUNS) SESAME_KNOCKD_SEED=$(SEED) go test -count 1 -v -run '^TestRealKnockdAgrees$$' -timeout 30m ./cmd/sesame/e2e

# As root. The first run makes a small Debian, from the mirror of apt, in ~/.cache/sesame-tests or in
# the directory SESAME_SYSTEM_TREE; later runs use it again.
system-test: # boot a Debian with our units and packages in a container: some three minutes, and one more the first time
	@SESAME_SYSTEM=1 .ci/install
	SESAME_SYSTEM=1 go test -count 1 -v -parallel 4 -timeout 40m $(TESTFLAGS) ./cmd/sesame/system

package-test: TESTFLAGS += -run '^TestSystem(Package|FromKnockd)'
package-test: system-test # the same for the packages alone: installed, upgraded, removed and purged, beside knockd too

lint:
	@test -z "$$(gofmt -l .)" || { echo 'not formatted; run gofmt -w on:'; gofmt -l .; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	$(EXHAUSTIVE) ./...

demo: build # as root on Linux: a guarded machine and a visitor, live; else a replay of captures
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then .ci/install && docs/demo.sh; else \
		echo 'Not root on Linux, so no port is guarded here: the shipped captures are replayed instead.'; $(MAKE) replay; fi

replay: build # check the shipped scripts, and replay the captures in pcaps/ through them
	./sesame check -s scripts
	./sesame check -s scripts/knockd
	@awk '/^    sesame simulate/ && !shown[$$0]++' pcaps/README.md | while read -r line; do \
		printf '\n$$ %s\n' "$$line"; eval "./$$line"; done

bench: # to compare two versions, run both through benchstat
	go test -run '^$$' -bench . -benchmem -count $(COUNT) ./...

bench-read: # processor time for a million packets, as a ratio to tcpdump's
	go test -run '^$$' -bench '^BenchmarkReading$$' -benchtime 5x ./pcaps

bench-live: # the daemon beside Debian's knockd, in network namespaces; as root, for some five minutes
	@.ci/install
	go test -run '^$$' -bench '^BenchmarkLive' -benchtime 1x -timeout 20m ./cmd/sesame/e2e

# An interesting file is made smaller by 20 tries: a minute of it, as go test does, is all the time.
fuzz: # each target for FUZZTIME
	@go test -list '^Fuzz' ./... | \
	awk '/^Fuzz/ { target[n++] = $$1 } /^ok/ { while (n > 0) print $$2, target[--n] }' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$package"; done

pcaps: # record the captures again; as root
	@.ci/install
	go run ./pcaps

docs: # make the pages anew that come from a template, such as docs/scripts.md.tmpl, and a table of the program; what commands print there; and the notices
	go test ./scripting ./daemon/config ./daemon/metrics -run '^TestReference' -update
	go test ./docs -run '^(TestGuide|TestConsole)$$' -update
	@touch cmd/sesame/notices.txt
	go test ./cmd/sesame -run '^TestNotices$$' -update

pictures: # draw the pictures of README.md again, and take those of a page in Chromium
	go run ./docs/pictures
	@d=$$(mktemp -d) && SESAME_PICTURES=$$d go test -count 1 ./simulate/page -run '^TestRealPage$$/^pictures$$' && \
	cp $$d/page.png $$d/page-dark.png docs/pictures/ && echo "more of them, to look at: $$d"

clean:
	rm -f sesame knock
	rm -rf dist
	go clean -testcache
