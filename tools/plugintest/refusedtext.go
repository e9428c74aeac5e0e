package plugintest

import (
	"debug/elf"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// sources are functions by which bytes come to a library from elsewhere than its arguments.
var sources = []string{
	"read", "pread", "pread64", "fread", "fgets", "fgetc", "getc", "getline", "getdelim", "recv", "recvfrom", "recvmsg", "readlink", "readdir", "readdir64",
	"getenv", "secure_getenv", "mmap", "mmap64", "__read_chk", "__fgets_chk", "__fread_chk", "__recv_chk", "popen", "getcwd", "gethostname", "strftime",
	"dlopen", "uncompress", "inflate", "iconv",
}

// readsElsewhere tells whether a library may get bytes from elsewhere; true where that is not known.
func readsElsewhere(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	return imports(f, sources)
}

// takesText tells whether all that the library's calls take is declared, and none of it bytes.
func (p *plugin) takesText() bool {
	for _, b := range p.boxes {
		for _, m := range append([]*method{b.birth}, b.methods...) {
			if m == b.birth && m.declared == nil {
				continue
			}
			if m.declared == nil || !m.declared.ArgsDeclared && m != b.birth {
				return false
			}
			for _, a := range m.declared.Args {
				if a.To == 0 || a.To == tlv.TagBytes || a.To == tlv.TagBlob {
					return false
				}
			}
		}
	}
	return true
}

// givesBytes tells whether bytes or blobs are among the arguments, which need not be text.
func (s sequence) givesBytes() bool {
	return slices.ContainsFunc(s, func(o op) bool {
		return slices.ContainsFunc(o.args, func(a argument) bool { return a.blob || a.from > 0 || a.value.Tag() == tlv.TagBytes })
	})
}

// checkRefusedText reports the code of text that is no UTF-8 where the plugin was given none: it is its own
// result that is not, of which an SDK tells so.
func (p *player) checkRefusedText(s *step, a *answer) {
	if a.code != abi.ErrInvalidUTF8 || p.shared.readsElsewhere || p.plugin.own.init.Connects || p.gaveBytes && !p.plugin.takesText() {
		return
	}
	if values, err := tlv.Decode(s.args); len(s.args) > 0 && err != nil || slices.ContainsFunc(values, func(v tlv.Value) bool { return v.Tag() == tlv.TagBytes }) {
		return
	}
	f := s.finding(codeUTF8, "it answered code %d, invalid UTF-8, and all text that the plugin was given is UTF-8: its own result is not", int32(a.code))
	f.Expected = "text that is UTF-8, or an error of its own"
	f.Fix = "cut text between its characters: no byte behind the cut may be one of 0x80 to 0xbf"
	p.add(f)
}
