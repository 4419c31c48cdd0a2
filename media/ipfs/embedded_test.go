package ipfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"antiphon/media/ipfs"
	"antiphon/media/ipfs/ipfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openEmbedded(t *testing.T) ipfs.Store {
	s, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	ipfstest.Run(t, openEmbedded)
}
