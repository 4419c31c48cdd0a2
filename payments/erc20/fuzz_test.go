package erc20

import (
	"encoding/json"
	"testing"

	"antiphon/payments/eip55"
)

// FuzzLogs reads whatever a node may tell of logs: what is taken is a transfer of the token, of the blocks that were
// asked for, and each has a name of its own.
func FuzzLogs(f *testing.F) {
	f.Add([]byte(`[{"address":"0x0a00000000000000000000000000000000000000","topics":["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",` +
		`"0x000000000000000000000000b9b09f33669435e7ef1beaed5aaeb6053f3e94c9","0x0000000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed"],` +
		`"data":"0x00000000000000000000000000000000000000000000000000000000004c4b40","blockNumber":"0x7",` +
		`"blockHash":"0x1111111111111111111111111111111111111111111111111111111111111111",` +
		`"transactionHash":"0x2222222222222222222222222222222222222222222222222222222222222222","logIndex":"0x0"}]`))
	f.Add([]byte(`[{"address":"0x0A","topics":[],"removed":true}]`))
	f.Add([]byte(`[{"blockNumber":"0xffffffffffffffffff"}]`))
	c := &Client{token: eip55.Address{0x0a}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var logs []wireLog
		if json.Unmarshal(raw, &logs) != nil {
			return
		}
		all, err := c.readAll(logs, 5, 9)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, x := range all {
			if x.block < 5 || x.block > 9 {
				t.Errorf("block %d", x.block)
			}
			if names[x.ref()] {
				t.Errorf("%s twice", x.ref())
			}
			names[x.ref()] = true
		}
	})
}
