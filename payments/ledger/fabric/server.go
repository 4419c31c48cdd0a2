package fabric

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// ServerConfig of a chaincode's server.
type ServerConfig struct {
	// Address is where it listens for the operator's own peer, as the installed package says. Without TLS it must be on
	// loopback: whoever can dial it can make the contract run, though on nothing but a state of the dialer's own.
	Address string
	// PackageID is what the peer calls the installed package: its label, a colon and its hash.
	PackageID string
	// Cert and Key are the paths of the server's TLS certificate and key, ClientCA that of who signs the peer's; all
	// three or none.
	Cert, Key, ClientCA string
}

// Server is a running chaincode.
type Server struct {
	grpc  *grpc.Server
	ended chan struct{}
}

// Serve begins to serve the contract to a peer; Stop ends it.
func Serve(cfg ServerConfig) (*Server, error) {
	if cfg.PackageID == "" {
		return nil, errors.New("the package's id is needed: peers tell it by `peer lifecycle chaincode queryinstalled`")
	}
	options := []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 30 * time.Second, PermitWithoutStream: true}),
		// A peer's messages carry whole pages of state.
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
	}
	if cfg.Cert != "" || cfg.Key != "" || cfg.ClientCA != "" {
		secure, err := serverTLS(cfg)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	} else if !onLoopback(cfg.Address) {
		return nil, fmt.Errorf("%s is not a loopback address: a chaincode that others can reach needs TLS", cfg.Address)
	}
	listener, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("serve chaincode: %w", err)
	}
	s := &Server{grpc: grpc.NewServer(options...), ended: make(chan struct{})}
	peer.RegisterChaincodeServer(s.grpc, &shim.ChaincodeServer{CCID: cfg.PackageID, CC: chaincode{}})
	go func() {
		defer close(s.ended)
		_ = s.grpc.Serve(listener) // it ends with Stop, or with a listener that the system took away
	}()
	return s, nil
}

// maxMessage is what Fabric's own parts take.
const maxMessage = 100 << 20

// Stop ends the server and returns when nobody is served any more. Twice is safe, and so is a nil server.
func (s *Server) Stop() {
	if s == nil {
		return
	}
	s.grpc.Stop()
	<-s.ended
}

func serverTLS(cfg ServerConfig) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("chaincode's certificate: %w", err)
	}
	pool, err := poolOf(cfg.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("chaincode's client CA: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}, nil
}

func poolOf(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
