package images

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Package is a package of Debian of which an image has files: this very file of the
// archive, whatever the archive offers by now.
type Package struct {
	Pool   string // where the archive has it
	SHA256 string
	// Files are what the image has of it, by absolute path: all of a folder, where
	// that ends with a slash. "/a as /b" is found at /a, and the image has it at /b.
	Files []string
}

const (
	debianArchive = "http://deb.debian.org/debian/pool/main/"
	fetcher       = "/usr/lib/apt/apt-helper"
	libraries     = "/usr/lib/x86_64-linux-gnu/"
)

// criu is CRIU and every library that it loads. CRIU, and two libraries of which it
// wants these versions, are from forky, all else from the stable trixie.
var criu = []Package{
	{"c/criu/criu_4.2.1-1_amd64.deb", "4039578de7dd6480964754c1348416f0f0658fba3eadaa918bfe43e9a5fb9b04", []string{"/usr/sbin/criu"}},
	library("libn/libnet/libnet9_1.3%2bdfsg-3%2bb2_amd64.deb", "2a27e79bb376a1052a77b6373e17b3c2e71b2b2d15bc05d899f2a6318e5d36ea", "libnet.so.9"),
	library("libn/libnl3/libnl-3-200_3.12.0-2%2bb1_amd64.deb", "a5ca78bbb9d5cc067b78952c5d38b7caac831d42e94b85b91edf1f6f00dfd48a", "libnl-3.so.200"),
	{"g/glibc/libc6_2.41-12%2bdeb13u5_amd64.deb", "b59b0625cd1a791375d40dab23a4d5d3d0641e3d0a773501becdc3725b7f99cf",
		[]string{libraries + "libc.so.6", "/usr/lib64/ld-linux-x86-64.so.2 as /lib64/ld-linux-x86-64.so.2"}},
	library("libb/libbsd/libbsd0_0.12.2-3_amd64.deb", "0383e47d704a5e58080606cbcafd2f2aa725702767ccf8b877fb224d04ff38c5", "libbsd.so.0"),
	library("libm/libmd/libmd0_1.1.0-2%2bb1_amd64.deb", "7244ec3839b61fac0c1884fe08aaa040f26e8f1f35f1f5d3482eacefd30d1b44", "libmd.so.0"),
	library("g/gnutls28/libgnutls30t64_3.8.9-3%2bdeb13u4_amd64.deb", "18a8bdfd91c7e3bcb01719d55a2b56849c7160b34f1f52b1c4fdfdd41bf1352b", "libgnutls.so.30"),
	library("p/p11-kit/libp11-kit0_0.25.5-3_amd64.deb", "784bf2063e166c8bc851a32623b74ebd85c499043a9d57c5bbd64fa63447f45a", "libp11-kit.so.0"),
	library("libf/libffi/libffi8_3.4.8-2_amd64.deb", "0ebdc340de33333639c3c63874cd4b15ac2e83dfa1ef3053b7eefaf4919f4f68", "libffi.so.8"),
	library("libi/libidn2/libidn2-0_2.3.8-2_amd64.deb", "90b039bcdc4578f8e1c4935adf8dbb525e36a164deefdbbb8c45bac347d48278", "libidn2.so.0"),
	library("libu/libunistring/libunistring5_1.3-2_amd64.deb", "6dd3490bef06ea1096f32d10766b7e016cf579bfae8451d1b7df15ce05b8aa46", "libunistring.so.5"),
	library("libt/libtasn1-6/libtasn1-6_4.20.0-2%2bdeb13u1_amd64.deb", "23fec6e06583ce2bad9b2c04c9b485e90440e259b1abf8677cd80d3ce60831ad", "libtasn1.so.6"),
	library("n/nettle/libhogweed6t64_3.10.1-1_amd64.deb", "b059ed155115ac09da295322de48ee1ed58ef5fa45edcc9e12ff0e94636ef25f", "libhogweed.so.6"),
	library("n/nettle/libnettle8t64_3.10.1-1_amd64.deb", "1b03d4a9cd9c8143ba50fe6396f36937e901a317d492d179f4596862c1731cfe", "libnettle.so.8"),
	library("g/gmp/libgmp10_6.3.0%2bdfsg-3_amd64.deb", "d0d0265eb01770f17afd0f7c8c0622f80479dcfbbe13653a0debeec61464e622", "libgmp.so.10"),
	library("n/nftables/libnftables1_1.1.3-1_amd64.deb", "c7cbee3dce8452ae5c3c4269f6f52e96b896d36a46ea3c490e0e11e8ff359896", "libnftables.so.1"),
	library("libm/libmnl/libmnl0_1.0.5-3_amd64.deb", "4ec9c1096e0b954e3bdb03a62314ee7f49999045d3d55be3e4ded520ffc9baf5", "libmnl.so.0"),
	library("libn/libnftnl/libnftnl11_1.2.9-1_amd64.deb", "1b3eae46bfb9c6ab44e404797fb45278045f926d73974a84097ad47a3e27d983", "libnftnl.so.11"),
	library("i/iptables/libxtables12_1.8.11-2_amd64.deb", "4de5aa59faef5e98d6ba9f5f521a915be5641f224f597862f8d29e8319e8db16", "libxtables.so.12"),
	library("j/jansson/libjansson4_2.14-2%2bb3_amd64.deb", "60707a62fe6c1228c3389b12a13ca4efd76defc5532473e547a29e99cf7d2a6e", "libjansson.so.4"),
	library("p/protobuf-c/libprotobuf-c1_1.5.1-1_amd64.deb", "9fa7e6932f620c7155aab365ed277f04cae3e04ac80ee048fb09d1e838738d14", "libprotobuf-c.so.1"),
	library("u/util-linux/libuuid1_2.41.5-0%2bdeb13u1_amd64.deb", "c1bf4c4c3ff48c57fabf93307dfb56996b60cfa33927afc4158b5db36fb2721e", "libuuid.so.1"),
}

func library(pool, digest, name string) Package {
	return Package{pool, digest, []string{libraries + name}}
}

// contents are the chosen files of a package, each a file of its own where the package
// has a link.
func (p Package) contents(ctx context.Context) ([]File, error) {
	archive, err := p.fetch(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", archive).Output()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", archive, err)
	}
	all, err := unpack(stream)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", archive, err)
	}
	var found []File
	for _, wanted := range p.Files {
		name, as, renamed := strings.Cut(wanted, " as ")
		if !renamed {
			as = name
		}
		if strings.HasSuffix(name, "/") {
			found = append(found, all.folder(name)...)
			continue
		}
		content, err := all.resolve(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Pool, err)
		}
		found = append(found, File{as, 0o755, content})
	}
	return append(found, all.copyright()...), nil
}

// fetch returns the package's file, from a cache where it was fetched before.
func (p Package) fetch(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "wheelhouse", "debian")
	file := filepath.Join(dir, p.SHA256+".deb")
	if fileDigest(file) == p.SHA256 {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Stat(fetcher); err != nil {
		return "", fmt.Errorf("fetching %s from Debian needs apt: %w; put the file at %s, or build with the Dockerfile", p.Pool, err, file)
	}
	// It fetches to a name beside, and keeps nothing whose digest is another.
	output, err := exec.CommandContext(ctx, fetcher, "download-file", debianArchive+p.Pool, file, "SHA256:"+p.SHA256).CombinedOutput()
	if err != nil || fileDigest(file) != p.SHA256 {
		return "", fmt.Errorf("fetch %s%s: %w: %s", debianArchive, p.Pool, errors.Join(err), bytes.TrimSpace(output))
	}
	return file, nil
}

// fileDigest is the SHA-256 of a file, "" where it cannot be read.
func fileDigest(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// unpacked is a package: files and where links lead, by absolute path.
type unpacked struct {
	files map[string][]byte
	links map[string]string
}

func unpack(stream []byte) (unpacked, error) {
	all := unpacked{map[string][]byte{}, map[string]string{}}
	for in := tar.NewReader(bytes.NewReader(stream)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		name := path.Join("/", h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			if all.files[name], err = io.ReadAll(in); err != nil {
				return all, err
			}
		case tar.TypeSymlink:
			target := h.Linkname
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(name), target)
			}
			all.links[name] = target
		}
	}
}

func (u unpacked) resolve(name string) ([]byte, error) {
	at := name
	for range len(u.links) + 1 {
		if content, ok := u.files[at]; ok {
			return content, nil
		}
		at = u.links[at]
	}
	return nil, fmt.Errorf("the package has no file %s", name)
}

// copyright are the licences, which go where the programs go.
func (u unpacked) copyright() []File {
	return slices.DeleteFunc(u.folder("/usr/share/doc/"), func(f File) bool { return path.Base(f.Path) != "copyright" })
}

// folder are the files below a folder, without links.
func (u unpacked) folder(name string) []File {
	var found []File
	for at, content := range u.files {
		if strings.HasPrefix(at, name) {
			found = append(found, File{at, 0o644, content})
		}
	}
	return found
}
