package fabricdev

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

//go:embed files
var files embed.FS

// layout is where everything lies and listens; the templates of files/ are filled with it.
type layout struct {
	Dir     string
	BFT     bool
	Window  string
	Orderer orderer
	Orgs    []org
}

// orderer is the one node that orders.
type orderer struct {
	Folder, Address, Admin string
	Port                   int
}

// org is one organization with its peer.
type org struct {
	Name, MSP, Domain string
	// Folder has the organization's keys and users, Peer those of its peer.
	Folder, Peer string
	// Address is the peer's, Shim the peer's for chaincode that would dial it, Service the chaincode's that it dials.
	Address, Shim, Service string
	Port                   int
}

// plan gives everything its place below the network's folder and free ports on loopback.
func plan(cfg Config) (*layout, error) {
	free, err := freePorts(2 + 3*len(cfg.Orgs))
	if err != nil {
		return nil, err
	}
	take := func() (string, int) {
		port := free[0]
		free = free[1:]
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), port
	}
	dir := cfg.Dir
	l := &layout{Dir: dir, BFT: cfg.BFT, Window: "15m"}
	if cfg.AnyTime {
		l.Window = "876000h"
	}
	l.Orderer.Folder = filepath.Join(dir, "crypto", "ordererOrganizations", "orderers.example", "orderers", "orderer.orderers.example")
	l.Orderer.Address, l.Orderer.Port = take()
	l.Orderer.Admin, _ = take()
	for _, name := range cfg.Orgs {
		o := org{Name: name, MSP: strings.ToUpper(name[:1]) + name[1:] + "MSP", Domain: name + ".example"}
		o.Folder = filepath.Join(dir, "crypto", "peerOrganizations", o.Domain)
		o.Peer = filepath.Join(o.Folder, "peers", "peer."+o.Domain)
		o.Address, o.Port = take()
		o.Shim, _ = take()
		o.Service, _ = take()
		l.Orgs = append(l.Orgs, o)
	}
	return l, nil
}

// firstPort and ports are where networks listen: below what systems give to outgoing connections, which would take a
// port in the second before a program of the network does.
const (
	firstPort = 20_000
	ports     = 10_000
)

// freePorts finds ports that nobody listens on at the moment, each another one. Processes that look at the same time
// begin at different ones.
func freePorts(n int) ([]int, error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			_ = l.Close() // only its number was wanted
		}
	}()
	var found []int
	begin := os.Getpid() * 37
	for i := range ports {
		if len(found) == n {
			return found, nil
		}
		port := firstPort + (begin+i)%ports
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // somebody is there
		}
		open, found = append(open, l), append(found, port)
	}
	return nil, fmt.Errorf("find %d free ports from %d on: found %d", n, firstPort, len(found))
}

// write writes every configuration file.
func (l *layout) write() error {
	err := errors.Join(
		l.fill("crypto-config.yaml", filepath.Join(l.Dir, "crypto-config.yaml"), l),
		l.fill("configtx.yaml", filepath.Join(l.Dir, "configtx.yaml"), l),
		l.fill("orderer.yaml", filepath.Join(l.Dir, "orderer", "orderer.yaml"), l),
	)
	for _, o := range l.Orgs {
		err = errors.Join(err, l.fill("core.yaml", filepath.Join(l.Dir, o.Name, "core.yaml"), struct {
			*layout
			Org org
		}{l, o}))
	}
	for _, script := range []string{"detect", "build", "release"} {
		path := filepath.Join(l.Dir, "builder", "bin", script)
		err = errors.Join(err, l.fill(script, path, nil))
		if err == nil {
			err = os.Chmod(path, 0o700)
		}
	}
	return err
}

func (l *layout) fill(name, path string, data any) error {
	t, err := template.ParseFS(files, "files/"+name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(t.Execute(f, data), f.Close())
}
