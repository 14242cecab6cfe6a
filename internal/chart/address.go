package chart

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
)

// CheckAddress refuses the address of a repository or a package that has a name
// or a password in it: it would end in locks, in logs and on screens.
func CheckAddress(address string) error {
	parsed, err := url.Parse(address)
	if err == nil && parsed.User != nil {
		return fmt.Errorf("the address of %s has a user name or a password in it; leave them out, and log in with `helm repo add --username`, `helm registry login` or `docker login`",
			parsed.Host)
	}
	return nil // whoever uses it says what else is wrong with it
}

// withoutUser is an address as it may be shown.
func withoutUser(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.User == nil {
		return address
	}
	parsed.User = nil
	return parsed.String()
}

// errLinkLocal keeps servers from sending us to the services that machines
// have for themselves, such as a cloud's metadata.
var errLinkLocal = errors.New("is an address of the machine's own network segment, where no charts are")

// noLinkLocal refuses a connection by the address that a name or a redirect
// turned out to mean.
func noLinkLocal(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLinkLocalUnicast() || ip.Equal(net.ParseIP("fd00:ec2::254"))) {
		return fmt.Errorf("%s %w", host, errLinkLocal)
	}
	return nil
}

// fromIndex checks an address that a remote index gave: it names no file of
// ours.
func fromIndex(at *url.URL) error {
	switch at.Scheme {
	case "http", "https", "oci":
		return CheckAddress(at.String())
	default:
		return fmt.Errorf("the index names an address of kind %q; a repository may only name http, https and oci", at.Scheme)
	}
}
