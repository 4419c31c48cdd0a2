package testkit_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// room is a folder with all that lies below it, and how far from the ground it stands.
type room struct {
	prefix string
	layer  int
}

// house is every room, also those not built yet. A package belongs to the longest prefix that it has. A room imports
// only from layers below its own, or from the same top-level folder on its own layer; rooms on the ground import
// nothing of ours but themselves and what doors lead to.
var house = []room{
	{"vocab", 0}, {"media/pre", 0}, {"media/seal", 0}, {"media/hls", 0}, {"federation/httpsig", 0},
	{"payments/royalty", 0}, {"payments/anomaly", 0}, {"payments/amount", 0}, {"payments/eip55", 0}, {"payments/ledger/contract", 0}, {"templates", 0}, {"migrations", 0}, {"internal", 0},

	{"media/probe", 1}, {"media/transcode", 1}, {"media/ipfs", 1}, {"media/cover", 1},
	{"payments/ledger", 1}, {"payments/raiden", 1}, {"payments/raidendev", 1}, {"federation/fetch", 1},

	{"media", 2}, {"payments", 2},
	{"federation", 3}, {"api", 3},
	{"cmd", 4},
}

// doors are the imports on the ground that lead from one room to another one; everything else there stands alone.
var doors = []struct{ from, to, why string }{
	{"internal", "migrations", "opening a database brings it to today's schema, so that no code meets an older one"},
	{"internal/jobs", "internal/db", "a job is queued in the caller's transaction"},
	{"payments/amount", "payments/eip55", "an asset names its token by address"},
	{"payments/ledger/contract", "payments/amount", "the contract counts amounts of assets"},
	{"payments/ledger/contract", "payments/royalty", "the contract checks a month's arithmetic"},
}

// never says which rooms do not import which, whatever their layers; the ground is open to all.
var never = []struct{ from, to, why string }{
	{"media", "payments", "what is heard and what is paid change for different reasons; cmd joins them"},
	{"payments", "media", "what is heard and what is paid change for different reasons; cmd joins them"},
	{"media", "federation", "the core says what happened as job arguments; the edges act on it"},
	{"media", "api", "the core says what happened as job arguments; the edges act on it"},
	{"payments", "federation", "the core says what happened as job arguments; the edges act on it"},
	{"payments", "api", "the core says what happened as job arguments; the edges act on it"},
	{"federation", "api", "servers talk without anybody being logged in"},
	{"federation", "templates", "what servers say to each other is not HTML"},
}

// only says which rooms may import a library, so that it can be replaced in one place.
var only = []struct {
	library string
	rooms   []string
	why     string
}{
	{"github.com/go-fed/", []string{"vocab", "federation"}, "the rest of the house speaks of tracks, not of ActivityStreams"},
	{"github.com/cloudflare/circl/group", []string{"media/pre"}, "group arithmetic outside the scheme is a mistake in the making"},
	{"gitlab.com/yawning/secp256k1-voi", []string{"media/pre"}, "group arithmetic outside the scheme is a mistake in the making"},
	{"github.com/ipfs/", []string{"media/ipfs"}, "the rest of the house knows a CID and a Store"},
	{"github.com/ipld/", []string{"media/ipfs"}, "the rest of the house knows a CID and a Store"},
	{"github.com/multiformats/", []string{"media/ipfs"}, "the rest of the house knows a CID and a Store"},
	{"github.com/libp2p/", []string{"media/ipfs"}, "the rest of the house knows a CID and a Store"},
	{"github.com/hyperledger/", []string{"payments/ledger/fabric"}, "the rest of the house knows a contract.Backend"},
	{"github.com/ethereum/", []string{"payments/erc20"}, "the rest of the house knows a Provider; the library is large"},
	{"github.com/gorilla/mux", []string{"api", "federation", "cmd"}, "the core does not know that it is on the web"},
}

// homeless are package names that say nothing about what is inside.
var homeless = []string{"util", "utils", "common", "models", "types", "store", "stores", "helpers", "helper"}

// maxInternal is how many packages internal may hold directly: it is for plumbing, not for what found no room.
const maxInternal = 5

func TestHouse(t *testing.T) {
	t.Parallel()
	pkgs, err := readHouse(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 2 {
		t.Fatalf("found only %d packages: the test looks in the wrong place", len(pkgs))
	}
	for _, broken := range inspect(pkgs) {
		t.Error(broken)
	}
}

// inspect returns one line for each rule that a package breaks.
func inspect(pkgs []pkg) []string {
	var broken []string
	plumbing := map[string]bool{}
	for _, p := range pkgs {
		say := func(format string, args ...any) { broken = append(broken, p.path+" "+fmt.Sprintf(format, args...)) }
		if !p.documented {
			say("has no package comment: say what it is, what it is not for, and the first call to make")
		}
		for _, name := range []string{p.name, path.Base(p.path)} {
			if slices.Contains(homeless, name) {
				say("is called %s: name it after what it holds", name)
				break
			}
		}
		if rest, ok := strings.CutPrefix(p.path, "internal/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			plumbing[first] = true
		}
		from, ok := roomOf(p.path)
		if !ok {
			say("stands outside the house: give it a room in the list, and write down why")
			continue
		}
		for _, imp := range p.imports {
			if why := forbidden(p.path, from, imp); why != "" {
				say("imports %s: %s", imp, why)
			}
		}
	}
	if len(plumbing) > maxInternal {
		broken = append(broken, fmt.Sprintf("internal holds %d packages, and %d at most", len(plumbing), maxInternal))
	}
	return broken
}

// forbidden is why the package at p, in room from, may not import imp; "" when it may.
func forbidden(p string, from room, imp string) string {
	target, ours := strings.CutPrefix(imp, "antiphon/")
	if (imp == "testing" || ours && isTestRoom(target)) && !isTestRoom(p) {
		return "it is for tests, and this is part of a program"
	}
	for _, rule := range only {
		if hasLibrary(imp, rule.library) && !slices.ContainsFunc(rule.rooms, func(r string) bool { return within(p, r) }) {
			return fmt.Sprintf("only %s may (%s)", strings.Join(rule.rooms, ", "), rule.why)
		}
	}
	if !ours {
		return ""
	}
	to, ok := roomOf(target)
	if !ok {
		return "it stands outside the house"
	}
	open := to.layer == 0 && to.prefix != "templates" && to.prefix != "internal"
	for _, rule := range never {
		if within(p, rule.from) && within(target, rule.to) && !within(p, rule.to) && !open {
			return "never (" + rule.why + ")"
		}
	}
	switch {
	case from.layer == 0:
		same := from.prefix == to.prefix && from.prefix != "internal" || sameInternal(p, target)
		if !same && !isTestRoom(p) && !hasDoor(p, target) {
			return "packages on the ground import nothing of ours"
		}
	case to.layer > from.layer:
		return fmt.Sprintf("imports point down, and this leads from layer %d up to %d", from.layer, to.layer)
	case to.layer == from.layer && top(p) != top(target) && !(top(p) == "api" && top(target) == "federation"):
		return fmt.Sprintf("rooms of layer %d stand side by side", from.layer)
	}
	return ""
}

// hasDoor reports whether one of the doors on the ground leads from the package at p to target.
func hasDoor(p, target string) bool {
	for _, d := range doors {
		if within(p, d.from) && within(target, d.to) {
			return true
		}
	}
	return false
}

func roomOf(p string) (room, bool) {
	var found room
	for _, r := range house {
		if within(p, r.prefix) && len(r.prefix) > len(found.prefix) {
			found = r
		}
	}
	return found, found.prefix != ""
}

// within reports whether the package at p is the room or lies in it; "" is the whole house.
func within(p, room string) bool {
	return room == "" || p == room || strings.HasPrefix(p, room+"/")
}

// isTestRoom reports whether a package of ours is there for tests: conformance suites are called after what they try,
// with "test" at the end.
func isTestRoom(p string) bool {
	return within(p, "internal/testkit") || strings.HasSuffix(p, "test")
}

// sameInternal reports whether both lie in the same package folder of internal.
func sameInternal(p, target string) bool {
	a, b := strings.Split(p, "/"), strings.Split(target, "/")
	return len(a) > 1 && len(b) > 1 && a[0] == "internal" && b[0] == "internal" && a[1] == b[1]
}

func hasLibrary(imp, library string) bool {
	return imp == library || strings.HasPrefix(imp, strings.TrimSuffix(library, "/")+"/")
}

func top(p string) string {
	first, _, _ := strings.Cut(p, "/")
	return first
}
