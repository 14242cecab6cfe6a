// Package version carries the version that the build stamped into the binary.
package version

// Version is a semantic version without a leading "v". The release build sets
// it with -ldflags "-X .../internal/version.Version=1.0.0".
var Version = "1.0.0-dev"
