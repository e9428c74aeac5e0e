package loader_test

import (
	goflag "flag" // a constant of other tests has its name
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// Why a test is not about modules.
const (
	oneCall     = "a module serves one call at a time, and cannot be held in one by another"
	perHost     = "each host has modules of its own, of which one knows nothing of the other"
	natives     = "it is about the names and symbols of native libraries, or writes one under such a name"
	tables      = "a module has no TypeBox tables"
	tracking    = "modules have an allocator of their own, which is not tracked"
	ownMemory   = "an address is in the module's own memory, where any is readable"
	pinned      = "a module has no threads"
	noCrossing  = "there are no batches in one crossing"
	machineCode = "it needs what a module cannot do: crash the process, or hang in C"
)

// notModules are the tests that are left out where the libraries of tests are WebAssembly modules
// (NYASH_TEST_TARGET=wasm).
var notModules = map[string]string{
	"TestBatch_SameAsSingleCalls": oneCall, "TestBox_Close_WaitsForBorrowers": oneCall, "TestBox_Close_WaitsForCalls": oneCall,
	"TestHost_Close_WaitsForCalls": oneCall, "TestHost_Load_AfterClose": oneCall, "TestHost_Load_ManyTimes": oneCall,
	"TestHost_Shutdown_BirthUnderWay": oneCall, "TestHost_Shutdown_CallUnderWay": oneCall, "TestWithMaxInFlight": oneCall,
	"TestThreads": pinned, "TestThreads_ContextEndsWaiting": oneCall, "TestDescription_Pinned": pinned, "TestDescription_TomlWins": pinned,
	"TestTwoHosts_ShareLibrary": perHost, "TestTwoHosts_DifferentThreads": perHost,
	"TestSameFile": natives, "TestSameFile_AtOnce": natives, "TestSymbols": natives, "TestSymbols_OtherTables": natives,
	"TestHost_New_RetriesFailedLoad": natives, "TestLoad_Again": natives, "TestLoadError": natives, "TestOpen_LibrariesForm": natives,
	"TestDescription_Errors": natives, "TestNew_WrongType": natives,
	"TestTable": tables, "TestTable_SecondHost": tables, "TestTable_Broken": tables, "TestTable_AllBroken": tables,
	"TestTable_NextWorker": tables, "TestTable_BadMemory": tables,
	"TestWithMaxBlob": tracking, "TestMethod_AppendBytes_Blob": tracking, "TestBlob_Dropped": tracking, "TestWithMemoryTracking_BlobMisuse": tracking,
	"TestCall_BlobNotTaken": tracking, "TestBlob_InvalidReference": ownMemory, "TestBatch_WrongCount": noCrossing,
	"TestFini_WaitsForItsTurn": machineCode, "TestHold_AfterTheEnd": machineCode, "TestDescription_HostileConfig": machineCode,
}

// leaveOutForModules has the tests run without those of notModules, and without the rows of
// TestAllocs that count what is native's.
func leaveOutForModules() {
	if !ccbuild.Modules() {
		return
	}
	names := slices.Sorted(maps.Keys(notModules))
	if err := goflag.Set("test.skip", "^("+strings.Join(names, "|")+")$|^TestAllocs$/^(table, numbers|blob appended)$"); err != nil {
		panic(err)
	}
}

// TestNotModules: the tests that are left out exist.
func TestNotModules(t *testing.T) {
	text := ccbuild.Run(t, "grep", "-ho", "^func Test[A-Za-z_]*", "-r", "--include=*_test.go", ".")
	for name := range notModules {
		require.Contains(t, text, "func "+name+"\n")
	}
}
