package network

import (
	"net/netip"
	"strings"
	"testing"
)

func TestChooseTakesTheFirstFreeBlock(t *testing.T) {
	tests := []struct {
		name  string
		inUse []string
		want  Block
	}{
		{"nothing in use", nil, 200},
		{"a default route is no network", []string{"0.0.0.0/0"}, 200},
		{"others elsewhere", []string{"192.168.0.0/16", "10.96.0.0/12"}, 200},
		{"one address within", []string{"10.200.3.4/32"}, 201},
		{"a route that covers several", []string{"10.200.0.0/14"}, 204},
		{"a gap", []string{"10.200.0.0/16", "10.202.0.0/16"}, 201},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Choose(prefixes(test.inUse))
			if err != nil || got != test.want {
				t.Errorf("got %d, %v; want %d", got, err, test.want)
			}
		})
	}
}

func TestChooseSaysWhatToDoWhenAllIsTaken(t *testing.T) {
	_, err := Choose(prefixes([]string{"10.0.0.0/8"}))
	if err == nil || !strings.Contains(err.Error(), "ip route") {
		t.Errorf("got %v; want an error that names a command to look with", err)
	}
}

func TestBlockPartsDoNotOverlap(t *testing.T) {
	block := Block(217)
	parts := []netip.Prefix{block.Node().Masked(), block.Pods(), block.Services()}
	for i, part := range parts {
		if !block.All().Overlaps(part) || block.All().Bits() > part.Bits() {
			t.Errorf("%s is not within %s", part, block.All())
		}
		if Overlaps(part, parts[i+1:]) {
			t.Errorf("%s overlaps another part of the block", part)
		}
	}
	for _, service := range []string{block.API(), block.DNS()} {
		if !block.Services().Contains(netip.MustParseAddr(service)) {
			t.Errorf("%s is no Service address", service)
		}
	}
	if len(block.Link()) > 15 {
		t.Errorf("%s is too long for the name of a link", block.Link())
	}
}

func prefixes(texts []string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}
