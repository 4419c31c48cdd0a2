package fabric

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"antiphon/payments/ledger/contract"
)

// Config says how an instance reaches its operator's peer.
type Config struct {
	// Peer is the address of the peer's gateway, host and port; CA the path of the certificate that its TLS goes back to.
	Peer, CA string
	// PeerName is the name in the peer's certificate when it is not the address's host; may be empty.
	PeerName string
	// MSP is the operator's organization, Cert and Key the paths of a client certificate of it and of its key.
	MSP, Cert, Key string
	// Channel and Chaincode are the names that the consortium gave them.
	Channel, Chaincode string
	// Patience is how long a command is tried again for reasons that pass: others wrote the same keys, or the peers have
	// not met each other. 10 seconds when 0.
	Patience time.Duration
	// Now is the time that transactions bear; the system's when nil. Peers refuse what is not within some minutes of
	// their own, so that any other is for tests.
	Now func() time.Time
}

// Backend is the ledger as a client of the operator's peer sees it. It is safe for concurrent use.
type Backend struct {
	cfg      Config
	conn     *grpc.ClientConn
	gateway  *client.Gateway
	network  *client.Network
	contract *client.Contract
}

var _ contract.Backend = (*Backend)(nil)

// Open reads the certificates and makes the client; it asks nobody yet, so a peer that is down is no error here.
func Open(cfg Config) (*Backend, error) {
	if cfg.Patience == 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.Peer == "" || cfg.MSP == "" || cfg.Channel == "" || cfg.Chaincode == "" {
		return nil, errors.New("the peer's address, the organization's MSP, channel and chaincode are needed")
	}
	id, sign, err := cfg.identity()
	if err != nil {
		return nil, err
	}
	pool, err := poolOf(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("the peer's CA: %w", err)
	}
	conn, err := grpc.NewClient(cfg.Peer,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: cfg.PeerName, MinVersion: tls.VersionTLS12})),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		// A peer that was restarted is found within seconds.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("reach peer %s: %w", cfg.Peer, err)
	}
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(conn))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach peer %s: %w", cfg.Peer, err), conn.Close())
	}
	network := gateway.GetNetwork(cfg.Channel)
	return &Backend{cfg, conn, gateway, network, network.GetContract(cfg.Chaincode)}, nil
}

func (c Config) identity() (identity.Identity, identity.Sign, error) {
	text, err := os.ReadFile(c.Cert)
	if err != nil {
		return nil, nil, fmt.Errorf("client certificate: %w", err)
	}
	cert, err := identity.CertificateFromPEM(text)
	if err != nil {
		return nil, nil, fmt.Errorf("client certificate %s: %w", c.Cert, err)
	}
	id, err := identity.NewX509Identity(c.MSP, cert)
	if err != nil {
		return nil, nil, fmt.Errorf("client certificate %s: %w", c.Cert, err)
	}
	if text, err = os.ReadFile(c.Key); err != nil {
		return nil, nil, fmt.Errorf("client key: %w", err)
	}
	key, err := identity.PrivateKeyFromPEM(text)
	if err != nil {
		// The library's error may quote what it could not read.
		return nil, nil, fmt.Errorf("client key %s: not a private key as PKCS #8 in PEM", c.Key)
	}
	sign, err := identity.NewPrivateKeySign(key)
	if err != nil {
		return nil, nil, fmt.Errorf("client key %s: %w", c.Key, err)
	}
	return id, sign, nil
}

// Close ends the client. Twice is safe.
func (b *Backend) Close() error {
	err := b.gateway.Close()
	if closing := b.conn.Close(); closing != nil && !errors.Is(closing, grpc.ErrClientConnClosing) {
		err = errors.Join(err, closing)
	}
	return err
}
