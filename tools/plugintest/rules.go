package plugintest

import "slices"

// Rule explains the findings of one code.
type Rule struct {
	Code     string
	Severity Severity
	Title    string // what is wrong, in a few words
	Expected string // what the contract asks for
	Mend     string // what to do
}

// The codes. They do not change: CI configurations name them.
const (
	codeNotLibrary     = "not-a-library"
	codeLoad           = "load-failed"
	codeSymbol         = "missing-symbol"
	codeExtraSymbol    = "extra-symbol"
	codeABI            = "abi-version"
	codeInit           = "init-failed"
	codeDescription    = "description-invalid"
	codeDuplicateID    = "duplicate-id"
	codeDuplicateName  = "duplicate-name"
	codeReservedID     = "reserved-id"
	codeReload         = "reload-failed"
	codeCrash          = "crash"
	codeExit           = "exit"
	codeHang           = "hang"
	codeMemory         = "runaway-memory"
	codeOverrun        = "result-overrun"
	codeOverread       = "args-overread"
	codeArgsWritten    = "args-written"
	codeKept           = "args-kept"
	codeLength         = "result-length"
	codeMalformed      = "result-malformed"
	codeUTF8           = "result-not-utf8"
	codeResultType     = "result-type"
	codeBlob           = "blob-invalid"
	codeErrorMessage   = "error-message"
	codeShortLength    = "short-buffer-length"
	codeShortEffect    = "short-buffer-side-effect"
	codeAccepted       = "malformed-accepted"
	codeAnyType        = "type-unchecked"
	codeAnyMethod      = "method-unchecked"
	codeBatch          = "batch-wrong"
	codeBirth          = "birth-failed"
	codeBirthResult    = "birth-result"
	codeIDReused       = "birth-id-reused"
	codeFini           = "fini-failed"
	codeUseAfterFini   = "use-after-fini"
	codeGrowth         = "memory-growth"
	codeFiles          = "descriptor-leak"
	codeThread         = "thread-left"
	codeSignalHandler  = "signal-handler"
	codeSignalsBlocked = "signals-blocked"
	codeDirectory      = "working-directory"
	codeUmask          = "umask"
	codeOutput         = "prints"
	codeAllocLeak      = "alloc-leak"
	codeBadFree        = "bad-free"
	codeRace           = "race"
	codeIDCollision    = "birth-id-race"
	codeIO             = "io-wrong"
	codeTypeID         = "type-id"
	codeTypeName       = "type-name"
	codeMethodID       = "method-id"
	codeMethodMissing  = "method-missing"
	codeMethodExtra    = "method-undeclared"
	codeArgs           = "args-type"
	codeLeak           = "leak"
	codeInvalidRead    = "invalid-read"
	codeInvalidWrite   = "invalid-write"
	codeAfterFree      = "use-after-free"
	codeDoubleFree     = "double-free"
	codeUninitialised  = "uninitialised"
)

var rules = []Rule{
	{codeNotLibrary, Error, "the file is no shared library for this machine", "a shared library for this system and processor", "build it with -shared -fPIC for this machine, and name the library and not its source or archive"},
	{codeLoad, Error, "the system cannot load the library", "a library whose symbols and dependencies are all found", "link what is missing into the library (-l…), or install what it needs where the system looks"},
	{codeSymbol, Error, "an entry point is missing", "nyash_plugin_abi, _init, _invoke and _shutdown", "export it with C linkage (extern \"C\") and default visibility (NYASH_EXPORT)"},
	{codeExtraSymbol, Warning, "the library exports what is its own business", "only the nyash_ symbols", "compile with -fvisibility=hidden, and make functions static: two plugins that export one name can meet"},
	{codeABI, Error, "nyash_plugin_abi answers another version", "1, every time", "return NYASH_ABI_VERSION"},
	{codeInit, Error, "nyash_plugin_init refuses", "0", "return 0; where something is missing, say so with host->log before returning a code"},
	{codeDescription, Error, "init describes the plugin with memory that is none, or text that is not UTF-8 or has control characters", "a NyashPluginInfo whose pointers are valid until init returns, with names in UTF-8", "let type_name and methods point at static data, and method_count be the number of its elements"},
	{codeDuplicateID, Error, "two methods have one id", "each method_id once", "give each method an id of its own"},
	{codeDuplicateName, Error, "two methods have one name", "each name once", "rename one of them"},
	{codeReservedID, Error, "an id with a fixed meaning is used otherwise", "birth = 0 and fini = 4294967295, and no others with these", "number methods from 1"},
	{codeReload, Error, "the library cannot be loaded a second time", "init after shutdown works as the first time", "set everything up anew in init, and give everything back in shutdown"},
	{codeCrash, Error, "the plugin crashed", "a code", "the backtrace says where; run tlv-debug with the input to see it again"},
	{codeExit, Error, "the plugin ended its process", "a code", "never call exit, _exit or quick_exit in a plugin: return NYASH_E_PLUGIN"},
	{codeHang, Error, "a call did not come back", "an answer within the time limit", "look for a lock taken twice, an endless loop, or a wait for what never comes; --timeout gives more time"},
	{codeMemory, Error, "the plugin took memory without bound", "memory in proportion to the arguments", "check sizes before you allocate"},
	{codeOverrun, Error, "the plugin wrote outside of its result", "nothing written past the capacity in *result_len", "compare *result_len with what you need before you write; if it is less, set *result_len and return NYASH_E_SHORT_BUFFER"},
	{codeOverread, Error, "the plugin read past its arguments", "nothing read past args_len", "check each size against the bytes that are left before you read"},
	{codeArgsWritten, Error, "the plugin wrote into its arguments", "args left as they are", "copy what you want to change"},
	{codeKept, Error, "the plugin used args or result after the call", "no pointer kept", "copy what you need before you return"},
	{codeLength, Error, "*result_len is not what was written", "the number of bytes written, at most the capacity", "set *result_len to the size of the whole message"},
	{codeMalformed, Error, "the result is no BID-1 message", "one well-formed entry, or nothing", "write version 1, argc 1, and the tag, a zero, the size and the payload of one entry"},
	{codeUTF8, Error, "a String is not UTF-8", "UTF-8", "return Bytes, or make the text UTF-8"},
	{codeResultType, Error, "the result is of another type than nyash.toml declares", "the declared type", "return what nyash.toml says, or declare what is returned"},
	{codeBlob, Error, "the result is a blob that the host cannot take over", "memory from the host's alloc, its whole length, given away once", "allocate it with host->alloc, and forget the pointer"},
	{codeErrorMessage, Warning, "what comes with an error is no message", "nothing, or a TLV of one String in UTF-8, and its length", "leave result and *result_len alone, or write one String"},
	{codeShortLength, Error, "a short-buffer answer asks for the wrong size", "the capacity that is needed, which then is enough", "set *result_len to the size of the whole message"},
	{codeShortEffect, Error, "a call that answered short buffer had an effect", "no side effect: the host calls again", "find out whether the result fits before you change anything"},
	{codeAccepted, Error, "a malformed message is taken for a good one", "NYASH_E_INVALID_ARGS", "check version, argc, tags, the zero and the sizes of everything you read"},
	{codeAnyType, Warning, "calls for another type are answered", "NYASH_E_INVALID_TYPE", "compare type_id with your own first"},
	{codeAnyMethod, Error, "a method that does not exist is answered", "NYASH_E_INVALID_METHOD", "return NYASH_E_INVALID_METHOD from the default case"},
	{codeBatch, Error, "a batch is answered otherwise than its calls are", "each call as nyash_plugin_invoke would, in order, up to and with one that answers short buffer; how many were made", "write NYASH_DEFINE_INVOKE_BATCH, unless you gain from a loop of your own"},
	{codeBirth, Error, "birth fails", "0 and an instance id", "return 0 and write the id"},
	{codeBirthResult, Error, "birth answers no instance id", "4 bytes with an id that is not 0, or one Handle", "write the id as a little-endian u32, count ids from 1, and set *result_len to 4"},
	{codeIDReused, Error, "birth gave the id of an instance that is alive", "an id of its own for each instance", "count ids up, or take only those whose instance is gone"},
	{codeFini, Error, "fini fails", "0", "release the instance and return 0"},
	{codeUseAfterFini, Error, "an instance is used after fini", "NYASH_E_INVALID_HANDLE", "forget the id in fini, and look it up in each call"},
	{codeGrowth, Error, "memory grows with each call", "memory given back by fini at the latest", "free what each call allocates; valgrind (memcheck) shows where"},
	{codeFiles, Error, "descriptors stay open", "files closed by fini at the latest", "close what you open, in fini too"},
	{codeThread, Warning, "a thread is still there after shutdown", "no thread after shutdown", "end your threads in shutdown and join them; with unload = true their code is gone"},
	{codeSignalHandler, Warning, "a signal handler was installed", "signals left to the host", "use sigwait on a thread of your own, or leave signals alone: the host's runtime needs them"},
	{codeSignalsBlocked, Warning, "a host's thread has signals blocked", "the signal mask as it was when the call began", "restore the mask with pthread_sigmask before you return"},
	{codeDirectory, Warning, "the working directory was changed", "the process's working directory left alone", "use absolute paths or openat: the directory belongs to the host"},
	{codeUmask, Warning, "the umask was changed", "the process's umask left alone", "give the mode to open or fchmod: the umask belongs to the host"},
	{codeOutput, Warning, "the plugin prints to its standard output or error", "messages through host->log", "use host->log: the standard streams belong to the host"},
	{codeAllocLeak, Error, "blocks of the host's alloc are not given back", "free for each alloc, at shutdown at the latest", "free what you take from host->alloc"},
	{codeBadFree, Error, "the host's free was given what it cannot take", "each block of alloc given back once", "free only what alloc returned, once, and nothing that you returned as a blob"},
	{codeRace, Error, "calls at the same time give other results than one after another", "the same results", "guard what calls share with a mutex or atomics, or write threads = \"serial\" in nyash.toml"},
	{codeIDCollision, Error, "births at the same time gave one id twice", "an id of its own for each instance", "count ids with an atomic, or under a lock"},
	{codeIO, Error, "a box of files does not do what its methods say", "what was written, and 0 where nothing stands in the way", "do it by hand with tlv-debug, or look at the bytes that the finding names"},
	{codeTypeID, Error, "nyash.toml and the library give other type ids", "one type_id", "write the library's id into nyash.toml, or leave it out there"},
	{codeTypeName, Error, "nyash.toml and the library call the box by other names", "one name", "rename one of them"},
	{codeMethodID, Error, "nyash.toml and the library give other ids for a method", "one method_id", "write the library's id into nyash.toml, or leave it out there"},
	{codeMethodMissing, Error, "the library has no such method", "every method of nyash.toml", "correct the name, or implement it"},
	{codeMethodExtra, Warning, "nyash.toml lacks a method of the library", "every method of the library", "declare it in nyash.toml, or hide it there with name = false"},
	{codeArgs, Error, "the method takes other arguments than nyash.toml declares", "the declared types", "declare what the method takes"},
	{codeLeak, Error, "memory is lost", "every allocation freed at shutdown or still reachable", "free it; the place is where it was allocated"},
	{codeInvalidRead, Error, "memory is read that is not the plugin's", "reads of its own memory", "see the place"},
	{codeInvalidWrite, Error, "memory is written that is not the plugin's", "writes to its own memory", "see the place"},
	{codeAfterFree, Error, "memory is used after it was freed", "no use after free", "see the place"},
	{codeDoubleFree, Error, "memory is freed that is not allocated", "one free for each allocation", "see the place; set the pointer to NULL after free"},
	{codeUninitialised, Error, "what was never written is used", "memory written before it is read or returned", "initialise it; the place is where it comes from"},
}

// Rules returns all rules, in the order of the documentation.
func Rules() []Rule { return slices.Clone(rules) }

// RuleOf finds the rule of a code.
func RuleOf(code string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Code == code })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
