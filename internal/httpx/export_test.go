package httpx

import (
	"crypto/tls"
	"crypto/x509"
)

// Trust makes c accept a test server's certificate.
func Trust(c *Client, cert *x509.Certificate) {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	c.transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
