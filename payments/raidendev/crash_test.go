package raidendev

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
)

// history makes a network with some of everything in its journal, closes it and returns its folder.
func history(t *testing.T) (dir string, clock *testkit.Clock) {
	t.Helper()
	dir, clock = t.TempDir(), testkit.NewClock(start)
	n := openAt(t, dir, clock)
	ada, lin, hub := n.address("ada"), n.address("lin"), n.address(Hub)
	for i, o := range []order{
		{initiator: lin, target: ada, amount: units(700)}, // mediated; the faucet helps the hub
		{initiator: ada, target: lin, amount: units(50)},
		{initiator: lin, target: hub, amount: units(9)},
		{initiator: hub, target: ada, amount: units(3)},
		{initiator: lin, target: ada, amount: units(0)},
	} {
		o.identifier = uint64(i + 1)
		if _, err := n.pay(o); err != nil {
			t.Fatal(err)
		}
	}
	n.lose = func(m message) bool { return m.Kind == secretRequest }
	if _, err := n.pay(order{initiator: lin, target: ada, amount: units(11), identifier: 6}); !errors.Is(err, errPending) {
		t.Fatal(err)
	}
	n.lose = nil
	clock.Advance(time.Hour)
	if err := n.settle(); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, clock
}

// copyWith makes a folder with the same seed and another journal.
func copyWith(t *testing.T, dir string, journal []byte) string {
	t.Helper()
	to := t.TempDir()
	seed, err := os.ReadFile(filepath.Join(dir, "seed"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"seed": seed, "journal": journal} {
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func readJournal(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCrash cuts the journal at, and within, every record: what was completed before the cut is there, what was not is
// completed or taken back as a whole, and nothing is there twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir, clock := history(t)
	whole := readJournal(t, dir)
	lines := slices.Collect(bytes.Lines(whole))
	if len(lines) < 30 {
		t.Fatalf("%d records", len(lines))
	}
	cut := 0
	for i, l := range lines {
		for name, size := range map[string]int{"before": cut, "within": cut + 1 + i*31%(len(l)-1)} {
			at := fmt.Sprintf("%s record %d", name, i)
			cuttings := copyWith(t, dir, whole[:size])
			before := newState()
			for _, l := range lines[:i] {
				r, err := parseLine(l)
				if err != nil {
					t.Fatal(err)
				}
				if err := before.apply(r); err != nil {
					t.Fatal(err)
				}
			}
			n, err := Open(config(cuttings, clock))
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			checkConserved(t, n)
			for h, was := range before.transfers {
				now := n.state.transfers[h]
				if now == nil || (was.paid && !now.paid) || (was.secret != nil && now.pending()) {
					t.Errorf("%s: transfer %d was lost", at, was.identifier)
				}
			}
			// An hour has passed in the meantime, so that even the locks without a secret are settled by now.
			clock.Advance(time.Hour)
			if err := n.settle(); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			checkSettled(t, n, at)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			// The next start finds everything done.
			settled := readJournal(t, cuttings)
			again, err := Open(config(cuttings, clock))
			if err != nil {
				t.Fatalf("%s: second start: %v", at, err)
			}
			checkSettled(t, again, at)
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(settled, readJournal(t, cuttings)) {
				t.Errorf("%s: the second start has changed something", at)
			}
		}
		cut += len(l)
	}
}

// checkSettled: no transfer is pending; the legs of each have all been paid or all been taken back.
func checkSettled(t *testing.T, n *Network, at string) {
	t.Helper()
	checkConserved(t, n)
	if len(n.state.pending) > 0 {
		t.Errorf("%s: %d transfers are pending", at, len(n.state.pending))
	}
	for _, tr := range n.state.transfers {
		if tr.pending() || tr.paid != (tr.secret != nil) {
			t.Errorf("%s: transfer %d: paid %v, secret known %v", at, tr.identifier, tr.paid, tr.secret != nil)
		}
	}
	for address, events := range n.state.history {
		seen := map[string]bool{}
		for _, e := range events {
			key := fmt.Sprint(e.transfer.hash, e.received)
			if seen[key] {
				t.Errorf("%s: %s shows transfer %d twice", at, address, e.transfer.identifier)
			}
			seen[key] = true
		}
	}
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	dir, clock := history(t)
	whole := readJournal(t, dir)
	lines := slices.Collect(bytes.Lines(whole))
	replaced := func(i int, old, new string) []byte {
		body := strings.Replace(string(lines[i][9:len(lines[i])-1]), old, new, 1)
		changed := slices.Clone(lines)
		changed[i] = fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE([]byte(body)), body)
		if bytes.Equal(changed[i], lines[i]) {
			t.Fatalf("record %d has no %s", i, old)
		}
		return slices.Concat(changed...)
	}
	last := len(lines) - 1
	proof := slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte(`"amount":"700"`)) })
	flipped := slices.Clone(whole)
	flipped[len(whole)/2] ^= 1
	flippedEnd := slices.Clone(whole)
	flippedEnd[len(whole)-3] ^= 1
	for name, c := range map[string]struct {
		journal []byte
		want    error
	}{
		"as it was":              {whole, nil},
		"empty":                  {nil, nil},
		"zeros at the end":       {append(slices.Clone(whole), make([]byte, 4096)...), nil},
		"rubbish at the end":     {append(slices.Clone(whole), "\n\nxx\nrubbish"...), nil},
		"bit at the end":         {flippedEnd, nil},
		"bit in the middle":      {flipped, ErrCorrupt},
		"record gone":            {slices.Concat(append(slices.Clone(lines[:5]), lines[6:]...)...), ErrCorrupt},
		"record twice":           {append(slices.Clone(whole), lines[last]...), ErrCorrupt},
		"two records exchanged":  {slices.Concat(append(slices.Clone(lines[:last-1]), lines[last], lines[last-1])...), ErrCorrupt},
		"amount":                 {replaced(proof, `"amount":"700"`, `"amount":"701"`), ErrCorrupt},
		"signature of the last":  {replaced(last, `"signature":"0x`, `"signature":"0x00`), nil}, // unreadable: cut off
		"party":                  {replaced(0, `"name":"hub"`, `"name":"hob"`), ErrCorrupt},
		"empty record":           {fmt.Appendf(slices.Clone(whole), "%08x {\"n\":%d}\n", crc32.ChecksumIEEE(fmt.Appendf(nil, `{"n":%d}`, len(lines))), len(lines)), ErrCorrupt},
		"last proof, other sign": {flipSignature(t, lines), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := Open(config(copyWith(t, dir, c.journal), clock))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil {
				checkConserved(t, n)
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// flipSignature changes one digit of the signature of the last balance proof.
func flipSignature(t *testing.T, lines [][]byte) []byte {
	t.Helper()
	last := lines[len(lines)-1]
	at := bytes.Index(last, []byte(`"signature":"0x`)) + len(`"signature":"0x`)
	body := slices.Clone(last[9 : len(last)-1])
	digit := &body[at-9+20]
	*digit = map[bool]byte{true: '1', false: '0'}[*digit == '0']
	line := fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(body), body)
	return append(slices.Concat(lines[:len(lines)-1]...), line...)
}

func TestWrongSeed(t *testing.T) {
	t.Parallel()
	dir, clock := history(t)
	other, _ := history(t)
	wrong := copyWith(t, other, readJournal(t, dir))
	if _, err := Open(config(wrong, clock)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another seed: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "seed")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config(dir, clock)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no seed: %v", err)
	}
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := Open(config(b.dir, b.clock)); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
}

const childEnv = "RAIDENDEV_TEST_CHILD"

// child pays for ever in the folder that it is given and prints each identifier once the payment is made.
func child(dir string) {
	first, err := strconv.Atoi(os.Getenv(childEnv))
	if err != nil {
		panic(err)
	}
	n, err := Open(config(dir, testkit.NewClock(start)))
	if err != nil {
		panic(err)
	}
	for id := uint64(first); ; id++ {
		o := order{initiator: n.address("lin"), target: n.address("ada"), amount: units(1), identifier: id}
		if id%2 == 1 {
			o.initiator, o.target = o.target, o.initiator
		}
		if _, err := n.pay(o); err != nil {
			panic(err)
		}
		fmt.Println(id)
	}
}

// TestKill kills a paying process, again and again: what it said it has paid was paid, once.
func TestKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, next := t.TempDir(), uint64(1)
	said := map[uint64]bool{}
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), self, dir)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", childEnv, next))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(out)
		for count := 0; scan.Scan(); count++ {
			id, err := strconv.ParseUint(scan.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			said[id] = true
			next = max(next, id+2) // the one after may have been paid without a word
			if count == 12+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || len(said) < 12*(round+1) {
			t.Fatalf("the child ended by itself: %v, after %d payments", err, len(said))
		}
		n, err := Open(config(dir, testkit.NewClock(start.Add(time.Hour))))
		if err != nil {
			t.Fatal(err)
		}
		checkSettled(t, n, fmt.Sprintf("round %d", round))
		paid := map[uint64]int{}
		for _, party := range []string{"ada", "lin"} {
			for _, e := range n.state.history[n.address(party)] {
				if e.received && e.transfer.target == n.address(party) && e.transfer.paid {
					paid[e.transfer.identifier]++
				}
			}
		}
		for id := range said {
			if paid[id] != 1 {
				t.Errorf("round %d: payment %d was made %d times", round, id, paid[id])
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
