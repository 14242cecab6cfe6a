// Package charts holds the Helm charts and profiles that a binary was built
// with, so that it installs without a network.
package charts

import (
	"embed"
	"io/fs"
)

//go:embed all:chrek all:conversion all:crds all:platform all:profiles
var files embed.FS

// FS returns the charts, one per folder: conversion, crds, platform, chrek.
func FS() fs.FS { return files }

// Profiles returns the shipped values profiles, as NAME.yaml.
func Profiles() fs.FS {
	profiles, err := fs.Sub(files, "profiles")
	if err != nil {
		// fs.Sub fails only for a malformed name, which this one is not.
		return files
	}
	return profiles
}
