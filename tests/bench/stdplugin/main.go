// The work of the benchmark as a plugin of Go's own plugin package.
package main

// Add adds.
func Add(a, b int64) int64 { return a + b }

// Echo appends data to dst.
func Echo(dst, data []byte) []byte { return append(dst[:0], data...) }

func main() {}
