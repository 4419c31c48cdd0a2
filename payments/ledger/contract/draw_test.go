package contract_test

import (
	"slices"
	"testing"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
)

// TestIndex has the values of another implementation of the formula: int(sha256(b"d|r").hexdigest(), 16) % n.
func TestIndex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dispute, root string
		eligible      int
		want          int
	}{
		{"d", "r", 7, 2},
		{"d", "r", 1000, 272},
		{"d", "r", 1, 0},
		{contracttest.Hash(1), contracttest.Hash(2), 1 << 30, 216564068},
	} {
		if got := contract.Index(c.dispute, c.root, c.eligible); got != c.want {
			t.Errorf("%s|%s of %d: %d, want %d", c.dispute, c.root, c.eligible, got, c.want)
		}
	}
}

// TestDrawIsEven: over many roots each is drawn about as often as the others, and the order of asking does not matter.
func TestDrawIsEven(t *testing.T) {
	t.Parallel()
	hosts := []string{"c.example", "a.example", "d.example", "b.example"}
	count := map[string]int{}
	for i := range 4000 {
		host, ok := contract.Draw(contracttest.Hash(1), contracttest.Hash(i), hosts)
		reversed := slices.Clone(hosts)
		slices.Reverse(reversed)
		if again, _ := contract.Draw(contracttest.Hash(1), contracttest.Hash(i), reversed); !ok || again != host {
			t.Fatalf("root %d: %s, then %s", i, host, again)
		}
		count[host]++
	}
	for host, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("%s is drawn %d of 4000 times", host, n)
		}
	}
	if _, ok := contract.Draw("d", "r", nil); ok {
		t.Error("drawn from nobody")
	}
}

func TestEligible(t *testing.T) {
	t.Parallel()
	node := func(host, cluster, owner string) contract.Node {
		return contract.Node{Host: host, Cluster: cluster, Owner: owner}
	}
	suspended := node("s.example", "", "s")
	suspended.Suspended = true
	reporter, opener := node("l.example", "choir", "l"), node("o.example", "", "o")
	nodes := []contract.Node{
		node("x2.example", "", "2"), reporter, opener, suspended, node("c.example", "choir", "c"), node("x1.example", "band", "1"),
		node("same.example", "", "l"), node("hers.example", "choir", "o"),
	}
	for _, c := range []struct {
		cluster bool
		drawn   []string
		want    []string
	}{
		{true, nil, []string{"c.example"}},
		{false, nil, []string{"x1.example", "x2.example"}},
		{false, []string{"x1.example"}, []string{"x2.example"}},
		{true, []string{"c.example"}, nil},
	} {
		if got := contract.Eligible(nodes, reporter, opener, c.cluster, c.drawn); !slices.Equal(got, c.want) {
			t.Errorf("cluster %t, drawn %v: %v, want %v", c.cluster, c.drawn, got, c.want)
		}
	}
	if got := contract.Eligible(nodes, node("alone.example", "", "a"), opener, true, nil); len(got) != 0 {
		t.Errorf("a node without a cluster has peers: %v", got)
	}
}

// TestClusterOfOne: who has no peers is judged by two from outside.
func TestClusterOfOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	n := contracttest.Nodes("")[1]
	n.Caller, n.Cluster = beta, ""
	d.do("operator", n)
	claimed, _ := disputed(t)
	d.paid(claimed, 20, "L4")
	d.do(beta, claimed.Report)
	d.at("2026-11-06T10:00:00Z")
	d.do(gamma, opening(d, beta, contracttest.Artist("z")))
	got, err := contract.DisputeAt(t.Context(), d, contract.DisputeID(october, beta, contracttest.Artist("z")))
	if err != nil || len(got.Eyes) != 2 || got.Eyes[0] == got.Eyes[1] {
		t.Errorf("%v, %v", got.Eyes, err)
	}
}
