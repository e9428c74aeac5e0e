package registry

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// disagreement is a class of documents that only one of the two parsers accepts.
type disagreement struct {
	Name     string
	Reason   string
	Accepts  string // which of the two: "registry" or "oracle"
	Error    string // what the other one says of all documents of the class: a regexp
	GoToml   string // what go-toml itself must say: "accepts" or "rejects"; empty for either
	Document string // one of them
	Hex      string // instead of Document, where that is not text

	error *regexp.Regexp
}

// disagreements reads testdata/oracle.toml.
func disagreements(t testing.TB) []disagreement {
	t.Helper()
	var list struct{ Class []disagreement }
	meta, err := toml.DecodeFile("testdata/oracle.toml", &list)
	require.NoError(t, err)
	require.Empty(t, meta.Undecoded())
	for i := range list.Class {
		c := &list.Class[i]
		c.error = regexp.MustCompile(c.Error)
		require.NotEmpty(t, c.Reason)
		if c.Hex != "" {
			document, err := hex.DecodeString(c.Hex)
			require.NoError(t, err)
			c.Document = string(document)
		}
	}
	return list.Class
}

// verdict is which of the two parsers accepts a document, or "both", or "neither", and
// what the others say.
func verdict(data []byte) (accepts string, mine, theirs any, err error) {
	d := newDocument("nyash.toml", data)
	root, mineOK := d.tree()
	var tree map[string]any
	_, theirErr := toml.Decode(string(data), &tree)
	switch {
	case mineOK && theirErr == nil:
		return "both", plainTable(root), plainValue(tree), nil
	case mineOK:
		return "registry", nil, nil, theirErr
	case theirErr == nil:
		return "oracle", nil, nil, d.errs
	}
	return "neither", nil, nil, errors.Join(d.errs, theirErr)
}

// goToml is what go-toml says, whose parser this package uses and whose rules about
// saying a thing twice it does not.
func goToml(data []byte) string {
	var tree map[string]any
	if gotoml.Unmarshal(data, &tree) != nil {
		return "rejects"
	}
	return "accepts"
}

// CheckOracle compares what this package and BurntSushi/toml, which share no code, make
// of a document.
func CheckOracle(t testing.TB, list []disagreement, data []byte) {
	t.Helper()
	accepts, mine, theirs, err := verdict(data)
	switch accepts {
	case "both":
		if !reflect.DeepEqual(mine, theirs) {
			assert.Equal(t, theirs, mine)
		}
		return
	case "neither":
		return
	}
	listed := func(err error) bool {
		return slices.ContainsFunc(list, func(c disagreement) bool {
			return c.Accepts == accepts && c.error.MatchString(err.Error()) && (c.GoToml == "" || c.GoToml == goToml(data))
		})
	}
	// One error that is listed does not excuse another.
	unlisted := func(e *Error) bool { return !listed(e) }
	var mistakes Errors
	if errors.As(err, &mistakes) && !slices.ContainsFunc(mistakes, unlisted) || mistakes == nil && listed(err) {
		return
	}
	assert.Fail(t, "testdata/oracle.toml has no such disagreement", "only the %s accepts\n%s\nThe other says: %v", accepts, data, err)
}

// Disagreements is what CheckOracle takes.
var Disagreements = disagreements

// The plain form of a tree: maps, slices, strings, booleans, integers, floats by their
// bits, and instant.

// instant stands for every date and time, whose representations differ too much.
const instant = "\x00a date or time"

// notANumber stands for every NaN, which is not equal to itself.
const notANumber = "\x00nan"

func plainTable(t *table) map[string]any {
	all := make(map[string]any, len(t.keys))
	for _, k := range t.keys {
		all[k.name] = plain(&k.val)
	}
	return all
}

func plain(v *value) any {
	switch v.kind {
	case unstable.InlineTable:
		return plainTable(v.table)
	case unstable.Array:
		all := make([]any, len(v.items))
		for i := range v.items {
			all[i] = plain(&v.items[i])
		}
		return all
	case unstable.String:
		return plainText(v.text)
	case unstable.Bool:
		return v.text == "true"
	case unstable.Integer:
		n, err := strconv.ParseInt(strings.TrimPrefix(v.text, "+"), 0, 64)
		if err != nil {
			return err.Error()
		}
		return n
	case unstable.Float:
		if strings.HasSuffix(v.text, "nan") { // which strconv knows without a sign only
			return notANumber
		}
		f, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
		if err != nil {
			return err.Error()
		}
		return plainFloat(f)
	}
	return instant
}

// plainValue is plain of what BurntSushi/toml decodes.
func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		all := make(map[string]any, len(v))
		for k, x := range v {
			all[k] = plainValue(x)
		}
		return all
	case []map[string]any:
		all := make([]any, len(v))
		for i, x := range v {
			all[i] = plainValue(x)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i, x := range v {
			all[i] = plainValue(x)
		}
		return all
	case string:
		return plainText(v)
	case float64:
		return plainFloat(v)
	case bool, int64:
		return v
	}
	return instant
}

// plainText leaves it to each parser which of the two ends of lines a text has.
func plainText(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func plainFloat(f float64) any {
	if math.IsNaN(f) {
		return notANumber
	}
	return math.Float64bits(f)
}

// TestOracle_Disagreements holds the list to what the parsers do.
func TestOracle_Disagreements(t *testing.T) {
	for _, c := range disagreements(t) {
		t.Run(c.Name, func(t *testing.T) {
			accepts, _, _, err := verdict([]byte(c.Document))
			require.Equal(t, c.Accepts, accepts, "%v", err)
			assert.Regexp(t, c.error, err.Error())
			if c.GoToml != "" {
				assert.Equal(t, c.GoToml, goToml([]byte(c.Document)))
			}
		})
	}
}
