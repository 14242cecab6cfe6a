package network

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// InUse returns the IPv4 networks that the machine has addresses in or routes to.
func InUse() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing the machine's routes: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing the machine's addresses: %w", err)
	}
	var prefixes []netip.Prefix
	for _, route := range routes {
		if route.Dst != nil {
			prefixes = appendPrefix(prefixes, route.Dst.String())
		}
	}
	for _, address := range addresses {
		prefixes = appendPrefix(prefixes, address.IPNet.String())
	}
	return prefixes, nil
}

func appendPrefix(prefixes []netip.Prefix, text string) []netip.Prefix {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefixes // not an IPv4 network
	}
	return append(prefixes, prefix)
}
