package contract

import (
	"fmt"
	"regexp"
)

// Node is an instance that takes part: what the operator says of it. Saying it again replaces it.
type Node struct {
	// Host, with its port where it has one, names the instance.
	Host string `json:"host"`
	// Caller is who speaks for it, as State.Caller has it.
	Caller string `json:"caller"`
	// Cluster is the name of those that it runs with, or empty.
	Cluster string `json:"cluster"`
	// Owner is Digest("owner", ...) of who runs it: two nodes of one owner never judge each other.
	Owner string `json:"owner"`
	// Suspended nodes are not drawn, and do not vote.
	Suspended bool `json:"suspended"`
}

// Call implements [Command].
func (n Node) Call() (string, any, error) { return setNode, n, nil }

const setNode = "set_node"

var (
	hostForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[1-9][0-9]{0,4})?$`)
	clusterForm = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]{0,63})?$`)
	ruleForm    = regexp.MustCompile(`^R[0-9]{1,3}$`)
)

// maxCaller bounds a caller's name in bytes.
const maxCaller = 300

func nodeKey(host string) string { return "node/" + host }

func (n Node) run(s State) error {
	if !hostForm.MatchString(n.Host) || n.Caller == "" || len(n.Caller) > maxCaller || !clusterForm.MatchString(n.Cluster) || !hexHash.MatchString(n.Owner) {
		return fmt.Errorf("%w: a node has a host, a caller, a cluster's name and an owner's hash", ErrInvalid)
	}
	operator, found, err := s.Get(operatorKey)
	if err != nil {
		return err
	}
	if !found || operator != s.Caller() {
		return fmt.Errorf("%w: the operator, who set the first policy, says which nodes there are", ErrCaller)
	}
	if err := put(s, nodeKey(n.Host), n); err != nil {
		return err
	}
	return emit(s, setNode, notice{Node: n.Host})
}

// nodeOf reads a node; ErrUnknown when there is none.
func nodeOf(s State, host string) (Node, error) {
	if !hostForm.MatchString(host) {
		return Node{}, fmt.Errorf("%w: host %.60q", ErrInvalid, host)
	}
	n, found, err := get[Node](s, nodeKey(host))
	if err == nil && !found {
		err = fmt.Errorf("%w: node %s", ErrUnknown, host)
	}
	return n, err
}

// authorize refuses a caller who does not speak for the node.
func authorize(s State, host string) (Node, error) {
	n, err := nodeOf(s, host)
	if err == nil && n.Caller != s.Caller() {
		err = fmt.Errorf("%w: it does not speak for %s", ErrCaller, host)
	}
	return n, err
}
