package plugintest

import (
	"debug/elf"
	"os"
	"strings"
)

// wordsOf are words of a library's file that may mean something to its methods: its constant
// text, where the format tells which that is.
func wordsOf(file string) (words []string) {
	const (
		mostFile  = 8 << 20
		mostWords = 400
	)
	known := make(map[string]bool)
	for word := range strings.SplitSeq(string(constants(file, mostFile)), "\x00") {
		printable := !strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r >= 0x7f })
		if len(word) < 2 || len(word) > 24 || known[word] || !printable {
			continue
		}
		known[word] = true
		if words = append(words, word); len(words) == mostWords {
			break
		}
	}
	return words
}

// constants are a file's read-only data, or all of it.
func constants(file string, most int64) []byte {
	if f, err := elf.Open(file); err == nil {
		defer func() { _ = f.Close() }()
		if s := f.Section(".rodata"); s != nil && s.Size <= uint64(most) {
			data, _ := s.Data()
			return data
		}
		return nil
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() > most {
		return nil
	}
	data, _ := os.ReadFile(file)
	return data
}
