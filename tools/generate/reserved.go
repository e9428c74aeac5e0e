package generate

// goMethodNames are those that a generated type has itself, and those to which go vet
// gives a signature.
var goMethodNames = []string{"Box", "Close", "String",
	"GobDecode", "GobEncode", "MarshalJSON", "MarshalXML", "ReadByte", "ReadRune",
	"UnmarshalJSON", "UnmarshalXML", "UnreadByte", "UnreadRune", "WriteByte"}

// goParamNames are what the bodies of methods use, and Go's own words.
var goParamNames = []string{"box", "context", "ctx", "err", "errors", "fmt", "host", "loader", "self", "typed",
	"any", "append", "bool", "byte", "cap", "clear", "close", "comparable", "complex", "complex64", "complex128", "copy", "delete",
	"error", "false", "float32", "float64", "imag", "int", "int8", "int16", "int32", "int64", "iota", "len", "make", "max", "min",
	"new", "nil", "panic", "print", "println", "real", "recover", "rune", "string", "true",
	"uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
	"break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go", "goto", "if",
	"import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type", "var"}

// cParamNames are what the generated functions use, and what C and C++ use.
var cParamNames = append([]string{"c", "i"}, cReserved...)

// cReserved are the keywords of C and C++, and macros of the C library in small letters.
var cReserved = append([]string{"assert", "complex", "errno", "fpclassify", "i386", "imaginary", "isfinite", "isgreater", "isinf", "isless",
	"isnan", "isnormal", "isunordered", "linux", "noreturn", "offsetof", "setjmp", "signbit", "stderr", "stdin", "stdout",
	"unix", "va_arg", "va_copy", "va_end", "va_start"}, cKeywords...)

var cKeywords = []string{"alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t",
	"char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
	"continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float",
	"for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr",
	"operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short",
	"signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename",
	"typeof", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq"}

// rustTypes are names of the language that the file uses.
var rustTypes = []string{"Box", "Option", "Result", "Self", "Send", "Sized", "String", "Sync", "Vec"}

// rustReserved are keywords, and methods that many types have from the prelude's traits:
// the compiler would not know which is meant.
var rustReserved = []string{"abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
	"enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut",
	"override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof", "union",
	"unsafe", "unsized", "use", "virtual", "where", "while", "yield",
	"as_mut", "as_ref", "clamp", "clone", "clone_from", "clone_into", "cmp", "default", "drop", "eq", "from", "from_iter", "ge", "gt", "into",
	"into_iter", "le", "lt", "max", "min", "ne", "next", "partial_cmp", "to_owned", "to_string", "try_from", "try_into"}

// rustParams are names that the SDK's macro uses where an argument's would be seen.
var rustParams = append([]string{"args", "call", "reply", "this"}, rustReserved...)
