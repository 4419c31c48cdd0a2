package fabric_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"antiphon/payments/ledger/fabric"
)

// authority makes certificates for this machine, signed by itself.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca", true)
	return a
}

// issue writes name.crt and name.key.
func (a *authority) issue(name string, isCA bool) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if isCA {
		a.cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, key = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	write(a.t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(a.t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return cert, key
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("chaincode", false)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, cfg := range map[string]fabric.ServerConfig{
		"no package":            {Address: "127.0.0.1:0"},
		"every address, no TLS": {Address: ":0", PackageID: "x"},
		"a public one, no TLS":  {Address: "192.0.2.1:7052", PackageID: "x"},
		"a taken port":          {Address: taken.Addr().String(), PackageID: "x"},
		"half of TLS":           {Address: "127.0.0.1:0", PackageID: "x", Cert: cert, Key: key},
		"no certificate":        {Address: "127.0.0.1:0", PackageID: "x", Cert: key, Key: key, ClientCA: cert},
	} {
		if s, err := fabric.Serve(cfg); err == nil {
			s.Stop()
			t.Errorf("%s: served", name)
		}
	}
}

// TestServeTLS: only a peer with a certificate of the right authority gets in.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	cert, key := a.issue("chaincode", false)
	address := freeAddress(t)
	s, err := fabric.Serve(fabric.ServerConfig{Address: address, PackageID: "x", Cert: cert, Key: key, ClientCA: filepath.Join(a.dir, "ca.crt")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(a.dir, "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	dial := func(from *authority) error {
		cfg := &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}}
		if from != nil {
			pair, err := tls.LoadX509KeyPair(from.issue("peer", false))
			if err != nil {
				t.Fatal(err)
			}
			cfg.Certificates = []tls.Certificate{pair}
		}
		conn, err := tls.Dial("tcp", address, cfg)
		if err != nil {
			return err
		}
		defer conn.Close()
		// The server's verdict comes with its first bytes.
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	if err := dial(a); err != nil {
		t.Errorf("a peer of ours: %v", err)
	}
	for name, from := range map[string]*authority{"nobody": nil, "another's": other} {
		if err := dial(from); err == nil {
			t.Errorf("%s certificate: let in", name)
		}
	}
	s.Stop()
	(*fabric.Server)(nil).Stop()
}

// TestOpenRefuses: what is missing is said when the client is made, and no key is quoted.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("user", false)
	good := fabric.Config{
		Peer: "127.0.0.1:1", CA: filepath.Join(a.dir, "ca.crt"), MSP: "AlphaMSP", Cert: cert, Key: key, Channel: "c", Chaincode: "l",
	}
	b, err := fabric.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	secret := filepath.Join(a.dir, "secret")
	write(t, secret, []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"))
	for name, spoil := range map[string]func(*fabric.Config){
		"no peer":        func(c *fabric.Config) { c.Peer = "" },
		"no MSP":         func(c *fabric.Config) { c.MSP = "" },
		"no channel":     func(c *fabric.Config) { c.Channel = "" },
		"no CA":          func(c *fabric.Config) { c.CA = filepath.Join(a.dir, "nothing") },
		"CA is a key":    func(c *fabric.Config) { c.CA = key },
		"no certificate": func(c *fabric.Config) { c.Cert = filepath.Join(a.dir, "nothing") },
		"cert is a key":  func(c *fabric.Config) { c.Cert = key },
		"no key":         func(c *fabric.Config) { c.Key = filepath.Join(a.dir, "nothing") },
		"a broken key":   func(c *fabric.Config) { c.Key = secret },
	} {
		cfg := good
		spoil(&cfg)
		b, err := fabric.Open(cfg)
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = b.Close()
		} else if strings.Contains(err.Error(), "c2Vj") || strings.Contains(err.Error(), "secret\n") {
			t.Errorf("%s: %v quotes the key", name, err)
		}
	}
}
