package ipfs_test

import (
	"testing"

	"antiphon/media/ipfs"
	"antiphon/media/ipfs/ipfstest"
)

func TestKubo(t *testing.T) {
	t.Parallel()
	api := ipfstest.Daemon(t)
	ipfstest.Run(t, func(t *testing.T) ipfs.Store {
		s, err := ipfs.OpenKubo(t.Context(), ipfs.KuboConfig{API: api})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
