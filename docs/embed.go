// Package docs holds the pages that the manager prints.
package docs

import "embed"

// Rules holds a page for each rule: rules/ID.md.
//
//go:embed rules/*.md
var Rules embed.FS
