package plugintest

import "slices"

// Rule explains the findings of one code.
type Rule struct {
	Code     string
	Severity Severity
	Title    string // what is wrong, in a few words
	Expected string // what the contract asks for
	Fix      string // what to do
}

// The codes. They do not change: CI configurations name them.
const (
	codeNotLibrary      = "not-a-library"
	codeLoad            = "load-failed"
	codeSymbol          = "missing-symbol"
	codeExtraSymbol     = "extra-symbol"
	codeABI             = "abi-version"
	codeInit            = "init-failed"
	codeDescription     = "description-invalid"
	codeConfig          = "config-invalid"
	codeConfigKey       = "config-unknown-key"
	codeConfigIDs       = "config-ids"
	codeConfigSignature = "config-signature"
	codeConfigChanges   = "config-changes"
	codeTable           = "table-invalid"
	codeManifest        = "manifest-invalid"
	codeResolve         = "resolve-unchecked"
	codeDuplicateID     = "duplicate-id"
	codeDuplicateName   = "duplicate-name"
	codeReservedID      = "reserved-id"
	codeReload          = "reload-failed"
	codeCrash           = "crash"
	codeExit            = "exit"
	codeOnce            = "ended-once"
	codeHang            = "hang"
	codeMemory          = "runaway-memory"
	codeOverrun         = "result-overrun"
	codeOverread        = "args-overread"
	codeArgsWritten     = "args-written"
	codeKept            = "args-kept"
	codeLength          = "result-length"
	codeMalformed       = "result-malformed"
	codeUTF8            = "result-not-utf8"
	codeResultType      = "result-type"
	codeBlob            = "blob-invalid"
	codeErrorMessage    = "error-message"
	codeOwnMistake      = "own-mistake"
	codeShortLength     = "short-buffer-length"
	codeShortEffect     = "short-buffer-side-effect"
	codeAccepted        = "malformed-accepted"
	codeAnyType         = "type-unchecked"
	codeAnyMethod       = "method-unchecked"
	codeRefusal         = "refusal-code"
	codeFaultCrash      = "failure-crash"
	codeFaultIgnored    = "failure-ignored"
	codeFaultUnusable   = "failure-unusable"
	codeFaultLeak       = "failure-leak"
	codeBatch           = "batch-wrong"
	codeBirth           = "birth-failed"
	codeBirthResult     = "birth-result"
	codeIDReused        = "birth-id-reused"
	codeFini            = "fini-failed"
	codeUseAfterFini    = "use-after-fini"
	codeGrowth          = "memory-growth"
	codeFiles           = "descriptor-leak"
	codeThread          = "thread-left"
	codeChild           = "process-left"
	codeStandard        = "descriptor-closed"
	codeSignalHandler   = "signal-handler"
	codeSignalsBlocked  = "signals-blocked"
	codeDirectory       = "working-directory"
	codeUmask           = "umask"
	codeFloat           = "float-control"
	codeLocale          = "locale"
	codeEnvironment     = "environment"
	codeRandom          = "random-state"
	codeTimer           = "timer-left"
	codeWritableCode    = "writable-code"
	codeShutdownLeak    = "shutdown-leak"
	codeOutput          = "prints"
	codeAllocLeak       = "alloc-leak"
	codeBadFree         = "bad-free"
	codeRace            = "race"
	codePossibleRace    = "possible-race"
	codeIDCollision     = "birth-id-race"
	codeIO              = "io-wrong"
	codeTypeID          = "type-id"
	codeTypeName        = "type-name"
	codeMethodID        = "method-id"
	codeMethodMissing   = "method-missing"
	codeMethodExtra     = "method-undeclared"
	codeMethodUnknown   = "method-unknown"
	codeTypesDiffer     = "types-differ"
	codeArgs            = "args-type"
	codeRange           = "range-unchecked"
	codeLeak            = "leak"
	codeInvalidRead     = "invalid-read"
	codeInvalidWrite    = "invalid-write"
	codeAfterFree       = "use-after-free"
	codeDoubleFree      = "double-free"
	codeUninitialised   = "uninitialised"
	codeConnect         = "connect-failed"
	codeUsesLoad        = "uses-missing-load"
	codeUses            = "uses-missing"
	codeHandleKept      = "handle-kept"
	codeHoldLeak        = "hold-leak"
	codeHoldEnded       = "hold-used-after-end"
	codeFiniUnheld      = "fini-not-held"
	codeAnswerLost      = "answer-lost"
	codeHostArgs        = "host-args"
	codeEndless         = "endless-recursion"
	codeLateCall        = "call-after-shutdown"
	codeKeptAnswer      = "memory-kept"
	codeOtherThread     = "thread-dependent"
	codeSecondLife      = "second-init-differs"
	codeOtherMemory     = "memory-dependent"
	codeMixed           = "instances-mixed"
	codeStale           = "stale-answer"
	codeHalf            = "half-done"
	codeCopy            = "copy-differs"
	codeOrder           = "order-dependent"
	codeDamaged         = "value-damaged"
	codeWraps           = "size-wraps"
	codeQuadratic       = "quadratic-time"
	codeNotExercised    = "not-exercised"
	codeLeafSlow        = "leaf-slow"
	codeLeafBlocks      = "leaf-blocks"
	codeLeafCalls       = "leaf-calls-back"
	codeLeafStack       = "leaf-stack"
)

var rules = []Rule{
	{codeNotLibrary, SeverityError, "the file is not a shared library for this machine", "a shared library for this system and processor", "build it with -shared -fPIC for this machine, and name the library and not its source or archive"},
	{codeLoad, SeverityError, "the system cannot load the library", "a library whose symbols and dependencies are all found", "link what is missing into the library (-l…), or install what it needs where the system looks"},
	{codeSymbol, SeverityError, "an entry point is missing", "nyash_plugin_abi, _init, _invoke and _shutdown", "export it with C linkage (extern \"C\") and default visibility (NYASH_EXPORT)"},
	{codeExtraSymbol, SeverityWarning, "the library exports symbols that are not part of the plugin ABI", "only the nyash_ symbols", "compile with -fvisibility=hidden, and make functions static: symbols of two plugins with one name can collide"},
	{codeABI, SeverityError, "nyash_plugin_abi returns another version", "1, every time", "return NYASH_ABI_VERSION"},
	{codeInit, SeverityError, "nyash_plugin_init fails", "0", "return 0; before returning an error code, log the reason with host->log"},
	{codeDescription, SeverityError, "init describes the plugin with invalid pointers, or with names that are not UTF-8 or have control characters", "a NyashPluginInfo whose pointers are valid until init returns, with names in UTF-8", "point type_name and methods at static data, and set method_count to the number of its elements"},
	{codeConfig, SeverityError, "nyash_plugin_config returns no self-description", "[plugins.Box] tables as docs/abi.md allows them, in UTF-8", "correct the text where the message says; an SDK writes it for you"},
	{codeConfigKey, SeverityWarning, "the self-description has an unknown key", "the keys that docs/abi.md lists", "correct the key, or leave it out"},
	{codeConfigIDs, SeverityError, "the self-description and init contradict each other", "the same type_id and method_id in both, or in one of them", "make both from one declaration"},
	{codeConfigSignature, SeverityWarning, "the signature that init gives a method is not that of the self-description", "the hash of what is described, or 0", "rebuild the library, or make both from one declaration"},
	{codeConfigChanges, SeverityError, "the text of nyash_plugin_config changes", "the same text each time, at an address that is valid until shutdown", "return static text; put nothing in it that differs from time to time"},
	{codeTable, SeverityError, "a TypeBox table cannot be used", "a NyashTypeBox as docs/abi.md has it, whose name is that of its symbol", "correct the field that the message names; an SDK writes the table for you"},
	{codeManifest, SeverityError, "the nyash_box.toml beside the library has a mistake", "boxes, methods and types as docs/nyash-toml.md lists them", "correct the line that the message names"},
	{codeResolve, SeverityError, "a table's resolve answers an id for a name that does not exist", "0 for a name that is no method", "compare the whole name with that of each method, and return 0 where none is equal"},
	{codeDuplicateID, SeverityError, "two methods have the same id", "each method_id once", "give each method a different id"},
	{codeDuplicateName, SeverityError, "two methods have the same name", "each name once", "rename one of them"},
	{codeReservedID, SeverityError, "a reserved id is used for another method", "birth = 0 and fini = 4294967295, and no other method with these ids", "number methods from 1"},
	{codeReload, SeverityError, "the library cannot be loaded a second time", "init after shutdown works as the first time", "initialise all state in init, and release it in shutdown"},
	{codeCrash, SeverityError, "the plugin crashed", "an error code", "the backtrace says where; run the script to see it again, or tlv-debug with the input where there is none"},
	{codeExit, SeverityError, "the plugin ended its process", "an error code", "never call exit, _exit or quick_exit in a plugin: return NYASH_E_PLUGIN; close no descriptors but your own: a worker whose channel is closed ends, too"},
	{codeOnce, SeverityWarning, "a process of the plugin has ended, and not again with the same calls", "a process that goes on", "look at what is random, depends on the time or on memory that was never set, and at threads that the plugin has started"},
	{codeHang, SeverityError, "a call did not return", "a return within the time limit", "look for a lock that is taken twice, an endless loop, or a wait without an end; --timeout sets the limit"},
	{codeMemory, SeverityError, "the plugin took memory, or wrote to its folder, without bound", "memory in proportion to the arguments", "check sizes before you allocate"},
	{codeOverrun, SeverityError, "the plugin wrote outside its result buffer", "nothing written past the capacity in *result_len", "compare *result_len with what you need before you write; if it is less, set *result_len and return NYASH_E_SHORT_BUFFER"},
	{codeOverread, SeverityError, "the plugin read past its arguments", "nothing read past args_len", "check each size against the bytes that are left before you read"},
	{codeArgsWritten, SeverityError, "the plugin wrote into its arguments", "args left as they are", "copy what you want to change"},
	{codeKept, SeverityError, "the plugin used args or result after the call", "no pointer kept after the call", "copy what you need before you return"},
	{codeLength, SeverityError, "*result_len is not the number of bytes written", "the number of bytes written, at most the capacity", "set *result_len to the size of the whole message"},
	{codeMalformed, SeverityError, "the result is not a BID-1 message", "one well-formed entry, or nothing", "write version 1, argc 1, and the tag, a zero byte, the size and the payload of one entry"},
	{codeUTF8, SeverityError, "a String is not UTF-8", "UTF-8", "return Bytes, or convert the text to UTF-8"},
	{codeResultType, SeverityError, "the result has another type than is declared", "the declared type", "return the declared type, or correct nyash.toml or the self-description"},
	{codeBlob, SeverityError, "the result is an invalid blob", "memory from host->alloc with its whole length, returned once", "allocate it with host->alloc, and do not use the pointer after the call"},
	{codeOwnMistake, SeverityError, "the plugin's SDK reports a mistake of the plugin", "a method that does what its declaration says", "correct the method, or its row in the table of methods"},
	{codeErrorMessage, SeverityWarning, "the message of an error is invalid", "nothing, or a TLV of one String in UTF-8, and its length", "leave result and *result_len alone, or write one String"},
	{codeShortLength, SeverityError, "a short-buffer answer asks for the wrong size", "the capacity that is needed, and success with it", "set *result_len to the size of the whole message"},
	{codeShortEffect, SeverityError, "a call that answered short buffer had a side effect", "no side effect: the host calls again", "check that the result fits before you change anything"},
	{codeAccepted, SeverityError, "a malformed message is accepted", "NYASH_E_INVALID_ARGS", "check the version, argc, tags, reserved bytes and sizes of everything you read"},
	{codeAnyType, SeverityWarning, "calls for another type succeed", "NYASH_E_INVALID_TYPE", "compare type_id with your own first"},
	{codeAnyMethod, SeverityError, "a call of a method that does not exist succeeds", "NYASH_E_INVALID_METHOD", "return NYASH_E_INVALID_METHOD from the default case"},
	{codeRefusal, SeverityWarning, "a call is refused with a code that says something else", "NYASH_E_INVALID_TYPE, _METHOD, _ARGS or _HANDLE, whichever it is", "answer the code that says what is wrong, or put a message beside another"},
	{codeFaultCrash, SeverityError, "it crashes or hangs where memory is out or a system call fails", "an error code, and a plugin that goes on", "look at what malloc, realloc, open, read and the like answer before you use it; end a loop that repeats after EINTR at any other error"},
	{codeFaultIgnored, SeverityError, "a call succeeds without its effect, or with a wrong result, where memory is out or a system call fails", "NYASH_E_OUT_OF_MEMORY or NYASH_E_PLUGIN", "answer an error where what the call needs has failed"},
	{codeFaultUnusable, SeverityError, "after a call that was refused for lack of memory others are refused, too", "an instance as it was before the call, or as after it", "allocate first, and change the instance only when all is there"},
	{codeFaultLeak, SeverityError, "a call that fails for lack of memory or at a system call leaves memory or a descriptor behind", "what the call has taken, given back on each way out", "free and close what you have by then, before you answer the error"},
	{codeBatch, SeverityError, "a batch gives other results than its calls do one by one", "the results of nyash_plugin_invoke, in order, up to and including the first short buffer; the number of calls made", "use NYASH_DEFINE_INVOKE_BATCH, unless your own loop is faster"},
	{codeBirth, SeverityError, "birth fails", "0 and an instance id", "return 0 and write the id"},
	{codeBirthResult, SeverityError, "birth returns no instance id", "4 bytes with an id that is not 0, or one Handle", "write the id as a little-endian u32, count ids from 1, and set *result_len to 4"},
	{codeIDReused, SeverityError, "birth returned the id of a live instance", "a different id for each live instance", "count ids up, or reuse only ids of ended instances"},
	{codeFini, SeverityError, "fini fails", "0", "release the instance and return 0"},
	{codeUseAfterFini, SeverityError, "an instance is used after fini", "NYASH_E_INVALID_HANDLE", "remove the id in fini, and look it up in each call"},
	{codeGrowth, SeverityError, "memory grows with each call", "memory freed by fini at the latest", "free what each call allocates; valgrind (memcheck) shows where"},
	{codeFiles, SeverityError, "file descriptors stay open", "files closed by fini at the latest", "close every descriptor that you open, in fini too"},
	{codeStandard, SeverityError, "descriptor 0, 1 or 2 of the process is closed, or another file", "the descriptors that the process had before", "close descriptors that you have opened, each once, and no others"},
	{codeChild, SeverityWarning, "a process that the plugin has started is there after shutdown", "no process after shutdown", "wait for each process that you start (waitpid), and end those that still run in shutdown"},
	{codeThread, SeverityWarning, "a thread is still running after shutdown", "no thread after shutdown", "stop and join your threads in shutdown; with unload = true their code is unmapped"},
	{codeSignalHandler, SeverityWarning, "a signal handler was installed", "signals left to the host", "use sigwait on your own thread, or do not handle signals: the host's runtime needs them"},
	{codeSignalsBlocked, SeverityWarning, "a call left signals blocked on the host's thread", "the signal mask as it was when the call began", "restore the mask with pthread_sigmask before you return"},
	{codeDirectory, SeverityWarning, "the working directory was changed", "the process's working directory left alone", "use absolute paths or openat: the directory belongs to the host"},
	{codeUmask, SeverityWarning, "the umask was changed", "the process's umask left alone", "give the mode to open or fchmod: the umask belongs to the host"},
	{codeFloat, SeverityError, "a call left another floating-point mode on the host's thread", "rounding, masked exceptions and the treatment of denormal numbers as they were when the call began", "restore them with fesetenv or fesetround before you return, on every path; do not link with -ffast-math, whose start-up code sets them"},
	{codeLocale, SeverityWarning, "the locale was changed", "the process's and the thread's locale left alone", "use the functions with a locale_t (strtod_l, newlocale), or uselocale and back: numbers of the whole process are written and read by setlocale's"},
	{codeEnvironment, SeverityWarning, "the environment was changed", "the process's environment left alone", "keep settings in your own memory; for a child process, give its environment to execve or posix_spawn: setenv races with every getenv of the process"},
	{codeRandom, SeverityWarning, "the C library's random numbers were drawn or seeded", "the state of rand and random left to the host", "use random_r or a generator of your own, seeded from getrandom: rand and srand have one state for the process"},
	{codeTimer, SeverityWarning, "a timer is left that sends signals", "no timer of alarm, setitimer or timer_create when the call has returned", "wait with a time limit on your own thread, or use timerfd: the signal of such a timer ends the host"},
	{codeWritableCode, SeverityWarning, "memory stays writable and executable", "no mapping that is both when the call has returned", "map it writable, then mprotect it to read and execute; assembly needs .note.GNU-stack, or the stack becomes executable"},
	{codeOutput, SeverityWarning, "the plugin prints to its standard output or error", "messages through host->log", "use host->log: the standard streams belong to the host"},
	{codeAllocLeak, SeverityError, "blocks of host->alloc are not freed", "host->free for each host->alloc, in shutdown at the latest", "free what you get from host->alloc"},
	{codeShutdownLeak, SeverityError, "shutdown does not release the instances that are alive", "everything released in shutdown: hosts that end need not call fini", "walk your table of instances in shutdown, and free each with what it owns"},
	{codeBadFree, SeverityError, "host->free was called with an invalid pointer", "host->free once for each block of host->alloc", "free only what host->alloc returned, once, and nothing that you returned as a blob"},
	{codeRace, SeverityError, "concurrent calls give other results than sequential ones", "the same results", "guard shared state with a mutex or atomics, or write threads = \"serial\" in nyash.toml"},
	{codePossibleRace, SeverityWarning, "two threads come to the same memory at once, and one of them changes it", "accesses that a lock keeps apart, or atomic ones", "guard it with one lock on every way there, or make it atomic"},
	{codeIDCollision, SeverityError, "concurrent births returned the same id", "a different id for each instance", "count ids with an atomic, or under a lock"},
	{codeIO, SeverityError, "open, write, read or close of a file box does not work", "the bytes that were written, and success for valid calls", "repeat the calls with tlv-debug, or look at the bytes that the finding names"},
	{codeTypeID, SeverityError, "nyash.toml and the library have different type ids", "the same type_id", "write the library's id into nyash.toml, or leave it out"},
	{codeTypeName, SeverityError, "nyash.toml and the library have different names for the box", "the same name", "rename one of them"},
	{codeMethodID, SeverityError, "nyash.toml and the library have different ids for a method", "the same method_id", "write the library's id into nyash.toml, or leave it out"},
	{codeMethodMissing, SeverityError, "the library has no such method", "every method of nyash.toml", "correct the name, or implement it"},
	{codeMethodExtra, SeverityWarning, "nyash.toml lacks a method of the library", "every method of the library", "declare it in nyash.toml, or hide it with name = false"},
	{codeMethodUnknown, SeverityError, "a method that the library describes does not exist", "an answer other than NYASH_E_INVALID_METHOD to each described method_id", "correct its method_id, or implement it"},
	{codeTypesDiffer, SeverityWarning, "nyash.toml declares other types than the self-description", "the types that the library describes", "correct nyash.toml, or leave the types to the library"},
	{codeRange, SeverityWarning, "an argument is taken that is outside of what its documentation says", "a refusal, with code -4 and a message", "check the argument, or say in its doc what becomes of other values (\"larger ones are cut to 100\")"},
	{codeArgs, SeverityError, "the method takes other arguments than are declared", "the declared types", "declare the types that the method takes"},
	{codeLeak, SeverityError, "allocated memory is lost", "every allocation freed in shutdown or still reachable", "free it; the source line is where it was allocated"},
	{codeInvalidRead, SeverityError, "a read outside allocated memory", "reads of allocated memory", "see the source line"},
	{codeInvalidWrite, SeverityError, "a write outside allocated memory", "writes to allocated memory", "see the source line"},
	{codeAfterFree, SeverityError, "memory is used after it was freed", "no use after free", "see the source line"},
	{codeDoubleFree, SeverityError, "memory is freed that is not allocated", "one free for each allocation", "see the source line; set the pointer to NULL after free"},
	{codeUninitialised, SeverityError, "uninitialised memory is used", "memory written before it is read or returned", "initialise it; the source line is where it was allocated"},
	{codeConnect, SeverityError, "nyash_plugin_connect fails", "0", "return 0; refuse only a version or a size of NyashHostCalls that you cannot use"},
	{codeUsesLoad, SeverityError, "connect or init calls a box of the host that uses does not list", "calls of what uses lists; anything else is not permitted (-10)", "add to uses what the message says, or do not call it while the library is loaded"},
	{codeUses, SeverityError, "the library calls a box of the host that uses does not list", "calls of what uses lists; anything else is not permitted (-10)", "add to uses what the message says, or do not call it"},
	{codeHandleKept, SeverityError, "a box that was lent to a call is used after it", "a handle among the arguments used until the call returns, and not afterwards", "use it within the call, or have the caller pass it each time; only what you gave birth to, or what a call of your host answered, can be kept"},
	{codeHoldLeak, SeverityError, "a box of the host is held and never given up", "fini, through the host, for each birth and each handle that a call answered; in shutdown at the latest", "call fini for it when the instance or the call that uses it ends, also where an error ends it"},
	{codeHoldEnded, SeverityError, "a box of the host is used after the hold was given up", "no use after fini, or after a call has answered the handle", "forget the handle when you give it up or pass it on"},
	{codeFiniUnheld, SeverityError, "fini is called for a box of the host that the library does not hold", "fini once for each hold, and none for what is lent", "clear the handle after fini; leave what is among the arguments to the caller"},
	{codeAnswerLost, SeverityWarning, "a short-buffer answer of the host is ignored", "the same call again with a buffer of *result_len bytes: the host keeps the answer for it", "repeat the call with a larger buffer; any other call drops the answer"},
	{codeHostArgs, SeverityError, "the arguments of a call of the host are wrong", "a well-formed message with the types that are declared for the method; hosts convert nothing", "write the declared types: an i64 argument needs an I64"},
	{codeEndless, SeverityError, "the library calls itself through its host without end", "calls that nest at most 64 deep", "end the recursion, or call the function itself and not the host"},
	{codeLateCall, SeverityError, "the library calls its host after shutdown", "no call of the host after nyash_plugin_shutdown has returned", "stop and join your threads in shutdown, or have them look whether it has begun"},
	{codeKeptAnswer, SeverityError, "an answer depends on memory of an earlier call", "no pointer kept to args, result or a lent blob after the call", "copy what you need before you return"},
	{codeOtherThread, SeverityError, "an answer depends on the thread that makes the call", "the same answers on every thread: a host may call from any", "keep state in the instance, not in thread-local variables; or write threads = \"pinned\""},
	{codeSecondLife, SeverityError, "after a shutdown and a second init calls answer otherwise", "init after shutdown works as the first time", "initialise all state in init, and release it in shutdown"},
	{codeOtherMemory, SeverityError, "an answer depends on what memory held before", "answers that depend on the calls alone", "initialise what you read and return; memory of the result buffer holds anything"},
	{codeMixed, SeverityError, "a call on one instance changes what another answers", "the answers of each instance alone; singleton = true for a box with one state", "keep the state in the instance that the id names, not in static variables"},
	{codeStale, SeverityWarning, "an answer is that of before a change, because it was asked for then", "the answer of the state as it is, whether it was asked for before or not", "drop what a method keeps for later answers wherever that changes: in undo and on error paths, too"},
	{codeOrder, SeverityWarning, "two calls with numbers at the end of their range answer otherwise in the other order", "the same in either order, as with small numbers", "compare numbers with < and not by their difference, and look for the last one before you add 1 to it"},
	{codeCopy, SeverityWarning, "a copy, or what was read from a dump, answers otherwise than the instance that it is of", "a copy to answer what the instance does", "copy, and write into the dump, all that the state consists of, and keep counts right wherever something is removed"},
	{codeHalf, SeverityWarning, "a call that failed has done a part of its work", "nothing changed where a call fails", "check all that a call is given before you change anything, or take back what was done on the way out"},
	{codeDamaged, SeverityError, "a value comes back damaged", "the value that was given, or an error", "use size_t for sizes and int64_t for numbers, copy size bytes and not up to a NUL, and refuse what does not fit"},
	{codeWraps, SeverityError, "a size or a number wraps where state grows", "a result of the right size, a blob for one of more than 65,535 bytes, or an error", "compute sizes in size_t, and compare them with what fits before you write them"},
	{codeQuadratic, SeverityWarning, "the time of a call grows with the square of the state", "time in proportion to the result", "append at the end that you know, instead of looking for it each time"},
	{codeNotExercised, SeverityWarning, "what could not be tested: no call of it succeeds", "a call that the method takes", "give a valid call with --call or --birth, or in the tester table of nyash.toml"},
	{codeLeafSlow, SeverityWarning, "a leaf method takes long", "at most 20 µs of processor time, as the median of its calls", "do less in a call, or leave leaf out: the host's scheduler stands still meanwhile"},
	{codeLeafBlocks, SeverityError, "a leaf method can wait", "no system call that can sleep: no files, pipes and sockets, no sleep, no lock that others hold", "leave leaf out, or have another method or a thread of your own do it"},
	{codeLeafCalls, SeverityError, "a leaf method calls its host", "nothing of the host but alloc, free, log and wake; resolve and invoke are answered -5", "leave leaf out, or have the caller pass what the method needs"},
	{codeLeafStack, SeverityWarning, "a leaf method takes much of its stack", "at most 128 KiB, half of what a leaf method has", "keep large arrays in the instance, or allocate them; a deeper recursion would end the host's process"},
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
