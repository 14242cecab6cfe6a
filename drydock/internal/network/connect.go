package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// nodeLink is the name of the node's end of the cable, inside the node.
const nodeLink = "eth0"

// Connect lays a virtual cable between this network namespace, the node's, and the host's.
// All that it makes on the host vanishes together with the node's namespace.
func Connect(block Block, host *os.File) error {
	handle, err := netlink.NewHandleAt(netns.NsHandle(host.Fd()))
	if err != nil {
		return fmt.Errorf("opening the host's network: %w", err)
	}
	defer handle.Close()
	if err := layCable(block, host, handle); err != nil {
		return fmt.Errorf("connecting node and host: %w", err)
	}
	if err := configureHost(block, handle); err != nil {
		return fmt.Errorf("configuring the host's end %s: %w", block.Link(), err)
	}
	if err := configureNode(block); err != nil {
		return fmt.Errorf("configuring the node's network: %w", err)
	}
	return forward()
}

// Disconnect removes the cable from the host at once, where the kernel has not done so yet.
func Disconnect(block Block) error {
	link, err := netlink.LinkByName(block.Link())
	var notFound netlink.LinkNotFoundError
	if errors.As(err, &notFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing network link %s: %w", block.Link(), err)
	}
	return nil
}

func layCable(block Block, host *os.File, handle *netlink.Handle) error {
	if stale, err := handle.LinkByName(block.Link()); err == nil {
		if err := handle.LinkDel(stale); err != nil {
			return err
		}
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = nodeLink
	return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: block.Link(), PeerNamespace: netlink.NsFd(host.Fd())})
}

func configureHost(block Block, handle *netlink.Handle) error {
	link, err := handle.LinkByName(block.Link())
	if err != nil {
		return err
	}
	if err := handle.AddrAdd(link, address(block.Host())); err != nil {
		return err
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	return handle.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(block.All()), Gw: block.Node().Addr().AsSlice()})
}

func configureNode(block Block) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	link, err := netlink.LinkByName(nodeLink)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address(block.Node())); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	// The kernel looks for a way before the packet filter replaces a Service's address, so there has to be one.
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(block.Services()), Gw: block.Host().Addr().AsSlice()})
}

func address(prefix netip.Prefix) *netlink.Addr { return &netlink.Addr{IPNet: ipNet(prefix)} }

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}

// forward makes the node route between its pods and the cable, and lets the packet filter see traffic within its bridge.
func forward() error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the kernel module br_netfilter is not loaded, and Services need it; load it with: modprobe br_netfilter")
	}
	return err
}
