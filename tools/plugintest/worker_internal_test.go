package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestLastWords are lines before an abort, and others.
func TestLastWords(t *testing.T) {
	for line, want := range map[string]bool{
		"double free or corruption (out)":                                 true,
		"free(): invalid pointer":                                         true,
		"malloc_consolidate(): unaligned fastbin chunk":                   true,
		"corrupted size vs. prev_size":                                    true,
		"*** stack smashing detected ***: terminated":                     true,
		"terminate called after throwing an instance of 'std::bad_alloc'": true,
		"  what():  std::bad_alloc":                                       true,
		"freed 3 blocks":                                                  false,
		"counter: free()":                                                 false,
	} {
		assert.Equal(t, want, lastWords.MatchString(line), line)
	}
}
