// Package wild has libraries as others write them, of each of the three generations of
// plugins (docs/abi.md): the four functions, nyash_plugin_invoke alone, and TypeBox tables.
// They are written from the specification, without the SDKs, and each has a script as a
// user writes it, which the tests run with the nyash command in every way in which a host
// reaches a plugin.
package wild
