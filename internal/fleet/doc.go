// Package fleet says what a cluster should run: it reads the fleet file, its
// profiles and layered values, and resolves them into a list of releases in
// which every value remembers the file and line that set it.
//
// The package is pure: it knows no cluster, and reads files only through Files.
package fleet
