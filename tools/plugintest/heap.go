package plugintest

import (
	"debug/elf"
	"regexp"
	"slices"
)

var (
	// ordinaryLibraries are those that take memory from malloc alone.
	ordinaryLibraries = regexp.MustCompile(`^(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|ld-linux-(x86-64|aarch64))\.so`)
	// ofMalloc take memory from the C library's heap, ofPages from the system. freesOthers free what
	// they are given, or look into it, and the functions in ofProcesses have a copy of the process go on.
	ofMalloc    = []string{"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "_Znwm", "_Znam"}
	ofPages     = []string{"mmap", "mmap64", "mremap", "brk", "sbrk", "syscall"}
	freesOthers = []string{
		"getline", "getdelim", "__getdelim", "argz_add", "argz_add_sep", "argz_append", "argz_insert", "argz_delete", "argz_replace",
		"envz_add", "envz_merge", "envz_remove", "hdestroy", "hdestroy_r",
		"malloc_usable_size", // which tells more than what was asked for
	}
	ofProcesses = []string{"fork", "vfork", "clone", "daemon", "forkpty"}
)

// heapUse is how a library takes memory.
type heapUse struct {
	// only: all of it is of the C library's heap. What it keeps is then known to the byte, and not
	// in pages with what the worker takes for itself.
	only bool
	// own: what it takes with malloc is freed by its own calls alone.
	own bool
}

// heapUseOf finds out how a library takes memory, from its file.
func heapUseOf(file string) (use heapUse) {
	f, err := elf.Open(file)
	if err != nil {
		return use
	}
	defer func() { _ = f.Close() }() // which was only read
	needs, err := f.ImportedLibraries()
	if err != nil || slices.ContainsFunc(needs, func(name string) bool { return !ordinaryLibraries.MatchString(name) }) {
		return use
	}
	takes := imports(f, ofMalloc)
	return heapUse{only: takes && !imports(f, ofPages), own: takes && !imports(f, freesOthers) && !imports(f, ofProcesses)}
}

// imports tells whether a library needs one of some functions of others.
func imports(f *elf.File, names []string) bool {
	symbols, _ := f.ImportedSymbols() // none where they cannot be read
	return slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool { return slices.Contains(names, s.Name) })
}

// writtenInC tells whether a library is one of C and C++ alone, as far as its file tells: in other
// languages a program ends where memory is out, and nobody can mend that.
func writtenInC(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // which was only read
	if needs, err := f.ImportedLibraries(); err != nil || slices.ContainsFunc(needs, goLibraries.MatchString) || f.Section(".go.buildinfo") != nil {
		return false
	}
	comment := f.Section(".comment")
	if comment == nil || comment.Size > 1<<16 {
		return false
	}
	text, err := comment.Data()
	return err == nil && ofC.Match(text) && !ofOthers.Match(text)
}

var (
	goLibraries = regexp.MustCompile(`^libgo\.`)
	ofC         = regexp.MustCompile(`GCC: |clang version`)
	ofOthers    = regexp.MustCompile(`(?i)rustc|zig|ldc|swift|ghc`)
)
