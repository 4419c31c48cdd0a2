// Command bench times media/pre/umbral against its peer @nucypher/umbral-pre (WebAssembly in Node), in turns on the
// same machine, and prints a line "name value unit" for each figure: microseconds of both and their ratio. What is counted
// is processor time, so that other load on the machine hardly changes it.
//
// It proves nothing about correctness; the tests of media/pre/umbral replay the peer's vectors. From the root:
//
//	npm ci --prefix media/pre/bench && go run ./media/pre/bench
package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"antiphon/media/pre/umbral"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "media/pre/bench", "folder of umbral-pre.mjs, with its package installed")
	rounds := flag.Int("rounds", 5, "how often to measure each side; the median counts")
	each := flag.Duration("each", 300*time.Millisecond, "how long to repeat each operation in a round")
	flag.Parse()
	if err := run(*dir, *rounds, *each); err != nil {
		log.Fatal(err)
	}
}

func run(dir string, rounds int, each time.Duration) error {
	ops, err := operations()
	if err != nil {
		return err
	}
	ours, peers := map[string][]float64{}, map[string][]float64{}
	for range rounds {
		for _, op := range ops {
			micros, err := repeat(op.run, each)
			if err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
			}
			ours[op.name] = append(ours[op.name], micros)
		}
		peer, err := runPeer(dir, each)
		if err != nil {
			return err
		}
		for name, micros := range peer {
			peers[name] = append(peers[name], micros)
		}
	}

	var ourSum, peerSum float64
	for _, op := range ops {
		if len(peers[op.name]) != rounds {
			return fmt.Errorf("the peer did not time %s", op.name)
		}
		our, peer := median(ours[op.name]), median(peers[op.name])
		report(op.name, our, peer)
		ourSum, peerSum = ourSum+our, peerSum+peer
	}
	report("sum", ourSum, peerSum)
	return nil
}

func report(name string, our, peer float64) {
	fmt.Printf("antiphon/%s %.1f us\n", name, our)
	fmt.Printf("umbral-pre/%s %.1f us\n", name, peer)
	fmt.Printf("ratio/%s %.2f x\n", name, peer/our)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func runPeer(dir string, each time.Duration) (map[string]float64, error) {
	script := filepath.Join(dir, "umbral-pre.mjs")
	out, err := exec.Command("node", script, strconv.FormatInt(each.Milliseconds(), 10)).Output()
	if err != nil {
		return nil, fmt.Errorf("node %s (is it installed, and npm ci run?): %w", script, err)
	}
	var micros map[string]float64
	if err := json.Unmarshal(out, &micros); err != nil {
		return nil, fmt.Errorf("node %s: %w", script, err)
	}
	return micros, nil
}

// repeat returns the mean microseconds of processor time that run takes.
func repeat(run func() error, each time.Duration) (float64, error) {
	begin, err := used()
	if err != nil {
		return 0, err
	}
	for n := 1; ; n++ {
		if err := run(); err != nil {
			return 0, err
		}
		now, err := used()
		if err != nil {
			return 0, err
		}
		if spent := now - begin; spent >= each {
			return float64(spent.Nanoseconds()) / float64(n) / 1000, nil
		}
	}
}

// used is this process's processor time, user and system.
func used() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

type operation struct {
	name string
	run  func() error
}

// operations are the peer script's five, under the same names: a 2-of-3 grant of 32 bytes.
func operations() ([]operation, error) {
	var secrets [3]*umbral.SecretKey
	for i := range secrets {
		var err error
		if secrets[i], err = umbral.GenerateSecretKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	a, b, s := secrets[0], secrets[1], secrets[2]
	keys := umbral.Keys{Verifying: s.PublicKey(), Delegating: a.PublicKey(), Receiving: b.PublicKey()}
	plaintext := make([]byte, 32)
	params := umbral.KeyFragParams{Delegating: a, Receiving: keys.Receiving, Signing: s, Threshold: 2, Shares: 3}

	capsule, ciphertext, err := umbral.Encrypt(rand.Reader, keys.Delegating, plaintext)
	if err != nil {
		return nil, err
	}
	kfrags, err := umbral.GenerateKeyFrags(rand.Reader, params)
	if err != nil {
		return nil, err
	}
	var cfrags []*umbral.VerifiedCapsuleFrag
	for _, kfrag := range kfrags[:params.Threshold] {
		cfrag, err := umbral.Reencrypt(rand.Reader, capsule, kfrag)
		if err != nil {
			return nil, err
		}
		cfrags = append(cfrags, cfrag)
	}
	kfragBytes, cfragBytes := kfrags[0].Bytes(), cfrags[0].MessagePack()

	return []operation{
		{"encrypt", func() error {
			_, _, err := umbral.Encrypt(rand.Reader, keys.Delegating, plaintext)
			return err
		}},
		{"generate-kfrags", func() error {
			_, err := umbral.GenerateKeyFrags(rand.Reader, params)
			return err
		}},
		{"verify-reencrypt", func() error {
			received, err := umbral.ParseKeyFrag(kfragBytes)
			if err != nil {
				return err
			}
			kfrag, err := received.Verify(keys)
			if err != nil {
				return err
			}
			_, err = umbral.Reencrypt(rand.Reader, capsule, kfrag)
			return err
		}},
		{"verify-cfrag", func() error {
			received, err := umbral.ParseCapsuleFragMessagePack(cfragBytes)
			if err != nil {
				return err
			}
			_, err = received.Verify(capsule, keys)
			return err
		}},
		{"decrypt-reencrypted", func() error {
			_, err := umbral.DecryptReencrypted(umbral.DecryptParams{
				Receiving: b, Delegating: keys.Delegating, Capsule: capsule, CapsuleFrags: cfrags, Ciphertext: ciphertext,
			})
			return err
		}},
	}, nil
}
