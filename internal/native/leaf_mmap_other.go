//go:build darwin || freebsd

package native

const mapNoReserve = 0 // memory that cannot be touched is not counted
