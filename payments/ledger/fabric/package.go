package fabric

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// label is what a package is called on a peer, before its hash.
const label = "ledger_1"

// PackageConfig says where an operator's peer finds the contract.
type PackageConfig struct {
	// Address is where [Serve] listens, as the peer dials it.
	Address string
	// CA, Cert and Key are the paths of the certificate that the server's goes back to, and of the peer's own TLS
	// certificate and key for this connection, which lie in the package; all three, or none on loopback.
	CA, Cert, Key string
}

// connection is the package's one file, as Fabric's builder for chaincode as a service reads it.
type connection struct {
	Address     string `json:"address"`
	DialTimeout string `json:"dial_timeout"`
	TLS         bool   `json:"tls_required"`
	ClientAuth  bool   `json:"client_auth_required,omitempty"`
	Key         string `json:"client_key,omitempty"`
	Cert        string `json:"client_cert,omitempty"`
	Root        string `json:"root_cert,omitempty"`
}

// Package makes the chaincode's package for the operator's peer, and the id that the peer will know it by. There is no
// code in it: each organization has its own, and they differ. The same configuration gives the same bytes.
func Package(cfg PackageConfig) (pack []byte, id string, err error) {
	to := connection{Address: cfg.Address, DialTimeout: "10s"}
	if cfg.CA != "" || cfg.Cert != "" || cfg.Key != "" {
		to.TLS, to.ClientAuth = true, true
		for path, text := range map[string]*string{cfg.CA: &to.Root, cfg.Cert: &to.Cert, cfg.Key: &to.Key} {
			raw, err := os.ReadFile(path)
			if err != nil {
				return nil, "", fmt.Errorf("package's certificates: %w", err)
			}
			*text = string(raw)
		}
	}
	connects, err := json.Marshal(to)
	if err != nil {
		return nil, "", err
	}
	code, err := archive("connection.json", connects)
	if err != nil {
		return nil, "", err
	}
	metadata, err := json.Marshal(map[string]string{"type": "ccaas", "label": label})
	if err != nil {
		return nil, "", err
	}
	if pack, err = archive("metadata.json", metadata, "code.tar.gz", code); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(pack)
	return pack, label + ":" + hex.EncodeToString(sum[:]), nil
}

// archive makes a gzipped tar of names and their bytes, the same every time.
func archive(nameAndBytes ...any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	tape := tar.NewWriter(zip)
	for i := 0; i < len(nameAndBytes); i += 2 {
		name, data := nameAndBytes[i].(string), nameAndBytes[i+1].([]byte)
		err := tape.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0)})
		if err != nil {
			return nil, err
		}
		if _, err := tape.Write(data); err != nil {
			return nil, err
		}
	}
	if err := tape.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
