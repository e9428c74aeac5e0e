package plugintest

import (
	"fmt"
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

// TestWorkerOutput_Bounded: of what a plugin prints without end the first lines and the last ones are kept.
func TestWorkerOutput_Bounded(t *testing.T) {
	o := &workerOutput{}
	const lines = 10 * maxPrinted
	for i := range lines {
		o.print(fmt.Sprint(i))
	}
	printed := o.printedLines()
	assert.Len(t, printed, 2*maxPrinted)
	assert.Equal(t, []string{"0", fmt.Sprint(maxPrinted - 1)}, []string{printed[0], printed[maxPrinted-1]})
	assert.Equal(t, []string{fmt.Sprint(lines - maxPrinted), fmt.Sprint(lines - 1)}, []string{printed[maxPrinted], printed[2*maxPrinted-1]})
}
