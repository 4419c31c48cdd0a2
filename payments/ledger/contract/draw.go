package contract

import (
	"crypto/sha256"
	"math/big"
	"slices"
	"strings"
)

// Index is which of the eligible ones is drawn: SHA-256(dispute "|" root), a number of 256 bits with the highest byte
// first, modulo eligible, which is at least 1. The root is of a checkpoint that nobody could choose beforehand.
func Index(dispute, root string, eligible int) int {
	sum := sha256.Sum256([]byte(dispute + "|" + root))
	n := new(big.Int).SetBytes(sum[:])
	return int(n.Mod(n, big.NewInt(int64(eligible))).Int64())
}

// Draw draws one of the hosts, which it orders first; false when there is none.
func Draw(dispute, root string, hosts []string) (string, bool) {
	if len(hosts) == 0 {
		return "", false
	}
	hosts = slices.Sorted(slices.Values(hosts))
	return hosts[Index(dispute, root, len(hosts))], true
}

// Eligible are the nodes that may judge a dispute about the node of reporter, in the order of their hosts: those of its
// cluster, or those outside of it. Left out are the reporter itself, the opener's node, whoever shares an owner with
// either, the suspended, and those that are drawn already.
func Eligible(nodes []Node, reporter, opener Node, cluster bool, drawn []string) []string {
	var hosts []string
	for _, n := range nodes {
		same := reporter.Cluster != "" && n.Cluster == reporter.Cluster
		if n.Suspended || same != cluster || n.Host == reporter.Host || n.Host == opener.Host || n.Owner == reporter.Owner || n.Owner == opener.Owner ||
			slices.Contains(drawn, n.Host) {
			continue
		}
		hosts = append(hosts, n.Host)
	}
	slices.SortFunc(hosts, strings.Compare)
	return hosts
}

// draw draws another eye for the dispute, from its cluster or from outside.
func (d *Dispute) draw(s State, root string, cluster bool) (string, bool, error) {
	var nodes []Node
	start, end := under("node/")
	err := s.Range(start, end, func(_, value string) error {
		n, err := read[Node]([]byte(value))
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return "", false, err
	}
	reporter, opener := Node{Host: d.Node}, Node{Host: d.OpenerNode}
	for _, n := range nodes {
		switch n.Host {
		case d.Node:
			reporter = n
		case d.OpenerNode:
			opener = n
		}
	}
	host, found := Draw(d.ID, root, Eligible(nodes, reporter, opener, cluster, slices.Concat(d.Eyes, d.AppealEyes)))
	return host, found, nil
}
