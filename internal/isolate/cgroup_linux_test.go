package isolate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestFindParent(t *testing.T) {
	const (
		first  = "35 31 0:32 / DIR/memory rw,relatime - cgroup cgroup rw,memory\n"
		part   = "35 31 0:32 /docker/abc DIR/memory rw - cgroup cgroup rw,memory\n"
		second = "41 31 0:38 / DIR/unified rw,relatime - cgroup2 cgroup2 rw\n"
		named  = "40 31 0:37 / DIR/systemd rw - cgroup cgroup rw,name=systemd\n"
	)
	tests := map[string]struct {
		own, mounts, control string
		want                 string // below DIR; empty for none
		v2                   bool
	}{
		"first version":          {"4:memory:/app\n0::/\n", second + first, "memory", "memory/app", false},
		"first, in a container":  {"4:cpu,memory:/docker/abc/x\n", part, "", "memory/x", false},
		"first, out of sight":    {"4:memory:/other\n", part, "", "", false},
		"first, not mounted":     {"4:memory:/app\n", named, "", "", false},
		"second version":         {"0::/app\n", second, "cpu memory pids\n", "unified/app", true},
		"second, not controlled": {"0::/app\n", second, "cpu pids\n", "", false},
		"second, without file":   {"0::/elsewhere\n", second, "memory\n", "", false},
		"none":                   {"", "", "", "", false},
		"nonsense":               {"a\nb:c\n", "x - y\n", "", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/proc/cgroup", tt.own)
			write(t, dir+"/proc/mountinfo", strings.ReplaceAll(tt.mounts, "DIR", dir))
			write(t, dir+"/unified/app/cgroup.subtree_control", tt.control)
			p := findParent(dir + "/proc")
			if tt.want == "" {
				assert.Nil(t, p)
				return
			}
			assert.Equal(t, &cellParent{dir: filepath.Join(dir, tt.want), v2: tt.v2}, p)
		})
	}
}

// kernel makes the files of a cgroup, which the kernel does.
func kernel(t *testing.T, dir string, files ...string) {
	for _, file := range files {
		write(t, filepath.Join(dir, file), "")
	}
}

func TestCell(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		p := &cellParent{dir: t.TempDir(), v2: v2}
		files := []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cgroup.procs"}
		want := []string{"104857600", "104857600", "77"}
		events, count := "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill "
		if v2 {
			files = []string{"memory.max", "memory.swap.max", "cgroup.procs"}
			want[1] = "0"
			events, count = "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_group_kill 0\noom_kill "
		}
		assert.Nil(t, p.cell("x", 1), "a folder that is no cgroup")
		_, err := os.Stat(p.dir + "/x")
		require.ErrorIs(t, err, os.ErrNotExist)

		c := &cell{dir: filepath.Join(p.dir, "y"), v2: v2, limit: 18 << 20}
		require.NoError(t, os.Mkdir(c.dir, 0o755))
		kernel(t, c.dir, files...)
		require.NoError(t, c.bound())
		c.enter(77)
		for i, file := range files {
			text, err := os.ReadFile(filepath.Join(c.dir, file))
			require.NoError(t, err)
			assert.Equal(t, want[i], string(text), file)
		}
		require.NoError(t, c.cause())
		write(t, filepath.Join(c.dir, events), count+"0\n")
		require.NoError(t, c.cause())
		write(t, filepath.Join(c.dir, events), count+"2\n")
		require.ErrorIs(t, c.cause(), ErrLimit)
		require.EqualError(t, c.cause(), "limits.memory: the system ended it for its use of memory, 18.0 MiB are allowed")
	}
	var none *cell
	none.enter(1)
	require.NoError(t, none.cause())
	none.remove()
}
