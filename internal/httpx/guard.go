package httpx

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrForbiddenAddress says that a name or URL led to an address that is not on the public internet.
var ErrForbiddenAddress = errors.New("address is not public")

// Special-purpose blocks of RFC 6890 and its registry. Everything in IPv6 outside 2000::/3 is refused without
// being listed, except the NAT64 prefix, which is judged by the IPv4 address inside.
var (
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
	special6 = prefixes(
		"2001::/23",         // IETF protocols, with Teredo 2001::/32 and ORCHID
		"2001:db8::/32",     // documentation
		"2002::/16",         // 6to4: an IPv4 address of the sender's choice inside
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
	)
	global6 = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public reports whether addr is an ordinary unicast address of the public internet. IPv4-mapped and NAT64
// addresses are judged by the IPv4 address they carry; 6to4 and Teredo are never public; an address with a
// zone is never public.
func Public(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if addr.Is4() {
		return !within(special4, addr)
	}
	return global6.Contains(addr) && !within(special6, addr)
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// guard is the dialer's Control: it runs after the name was resolved and before the connection is made, for
// each address tried, so a name that changes its mind between a check and a dial gains nothing.
func guard(allowLoopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("dial %s: %w", network, ErrForbiddenAddress)
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dial %q: %w", address, ErrForbiddenAddress)
		}
		if Public(ap.Addr()) || allowLoopback && ap.Addr().Unmap().IsLoopback() {
			return nil
		}
		return fmt.Errorf("dial %s: %w", address, ErrForbiddenAddress)
	}
}
