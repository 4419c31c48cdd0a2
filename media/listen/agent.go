package listen

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
)

// agentOf says in few words what a program is: enough to see that five accounts use the same one, too little to know
// anybody again.
func agentOf(header string) string {
	first := func(words ...[2]string) string {
		for _, w := range words {
			if strings.Contains(header, w[0]) {
				return w[1]
			}
		}
		return "other"
	}
	// The order matters: each of them also says that it is those that come after.
	browser := first([2]string{"Firefox/", "firefox"}, [2]string{"Edg", "edge"}, [2]string{"OPR/", "opera"}, [2]string{"Chrome/", "chrome"},
		[2]string{"Safari/", "safari"})
	system := first([2]string{"Android", "android"}, [2]string{"iPhone", "ios"}, [2]string{"iPad", "ios"}, [2]string{"Windows", "windows"},
		[2]string{"Mac OS", "macos"}, [2]string{"CrOS", "chromeos"}, [2]string{"Linux", "linux"})
	return browser + " on " + system
}

// networkOf is a keyed hash of the network that an address is in, a /24 or a /48; empty for what is no address.
func networkOf(key [32]byte, address string) string {
	ip, err := netip.ParseAddr(address)
	if withPort, e := netip.ParseAddrPort(address); e == nil {
		ip, err = withPort.Addr(), nil
	}
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(prefix.String()))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
