// Package native loads plugins into the host's own process: it opens a shared
// library without cgo, finds the symbols of a plugin (docs/abi.md, section 1),
// runs abi, connect and init, and makes the calls.
//
// It is for package loader, which adds names, types and the life of instances;
// nothing here knows nyash.toml.
//
// The process has one image of a library, however often it is opened and by
// however many hosts: opening it again while it is live counts a reference,
// and only the last Close calls shutdown. So two hosts in one program can use
// one plugin without ending it for each other. A library that may call its host
// has one user at a time.
//
// Native code runs unprotected: a plugin that crashes takes the process with
// it, and a call under way cannot be interrupted.
package native
