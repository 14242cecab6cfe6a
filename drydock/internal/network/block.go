// Package network gives each full node a private network of its own: one free /16 block, seen from the host by one route.
package network

import (
	"fmt"
	"net/netip"
)

const (
	firstBlock = 200
	lastBlock  = 249
)

// Block is B in 10.B.0.0/16. Everything of one node lives in it, so that one route on the host reaches
// the node, its pods and its Services, and several nodes never overlap.
type Block int

func (b Block) address(rest string) string { return fmt.Sprintf("10.%d.%s", int(b), rest) }

// All is the whole block.
func (b Block) All() netip.Prefix { return netip.MustParsePrefix(b.address("0.0/16")) }

// Host is the host's end of the cable between host and node, with its prefix.
func (b Block) Host() netip.Prefix { return netip.MustParsePrefix(b.address("0.1/30")) }

// Node is the node's end, with its prefix.
func (b Block) Node() netip.Prefix { return netip.MustParsePrefix(b.address("0.2/30")) }

// Pods is the range of pod addresses.
func (b Block) Pods() netip.Prefix { return netip.MustParsePrefix(b.address("128.0/20")) }

// Services is the range of Service addresses.
func (b Block) Services() netip.Prefix { return netip.MustParsePrefix(b.address("96.0/20")) }

// API is the address of the Service kubernetes.default: the first of the range.
func (b Block) API() string { return b.address("96.1") }

// DNS is the address of the Service kube-dns.
func (b Block) DNS() string { return b.address("96.10") }

// Link is the name of the host's end of the cable.
func (b Block) Link() string { return fmt.Sprintf("drydock%d", int(b)) }

// Choose returns the first block that overlaps none of the prefixes in use.
func Choose(inUse []netip.Prefix) (Block, error) {
	for candidate := Block(firstBlock); candidate <= lastBlock; candidate++ {
		if !Overlaps(candidate.All(), inUse) {
			return candidate, nil
		}
	}
	return 0, fmt.Errorf("every network from 10.%d.0.0/16 to 10.%d.0.0/16 is in use on this machine; free one (see: ip route), then try again", firstBlock, lastBlock)
}

// Overlaps reports whether a prefix shares addresses with one of the others; a default route does not count.
func Overlaps(prefix netip.Prefix, others []netip.Prefix) bool {
	for _, other := range others {
		isDefaultRoute := other.Bits() == 0
		if !isDefaultRoute && prefix.Overlaps(other) {
			return true
		}
	}
	return false
}
