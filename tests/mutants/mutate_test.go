package mutants

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMutate(t *testing.T) {
	tests := []struct {
		name, source string
		want         []string
	}{
		{"a lock", "void f(void) {\n    lock(&l);\n    n = 2 < m;\n}", []string{
			"f.c:2:5:statement-deletion lock(&l); → (void)0;",
			"f.c:3:5:statement-deletion n = 2 < m; → (void)0;",
			"f.c:3:9:constant-minus 2 → 1",
			"f.c:3:9:constant-plus 2 → 3",
			"f.c:3:11:relational < → <=",
		}},
		{"a check", "int f(int a) { if (a >= b(a) && !c) return NYASH_E_PLUGIN; return NYASH_OK; }", []string{
			"f.c:1:20:condition-false a >= b(a) && !c → 0",
			"f.c:1:20:condition-true a >= b(a) && !c → 1",
			"f.c:1:22:relational >= → >",
			"f.c:1:30:logical && → ||",
			"f.c:1:37:return-ok return NYASH_E_PLUGIN; → return NYASH_OK;",
			"f.c:1:37:return-other return NYASH_E_PLUGIN; → return NYASH_E_INVALID_ARGS;",
		}},
		{"a call's arguments", "void f(void) { return g(a, h(b, c), (d, e), 0x10u); }", []string{
			"f.c:1:16:return-ok return g(a, h(b, c), (d, e), 0x10u); → return 0;",
			"f.c:1:25:argument-swap a, h(b, c) → h(b, c), a",
			"f.c:1:28:argument-swap h(b, c), (d, e) → (d, e), h(b, c)",
			"f.c:1:30:argument-swap b, c → c, b",
			"f.c:1:37:argument-swap (d, e), 0x10u → 0x10u, (d, e)",
			"f.c:1:45:constant-minus 0x10u → 15u",
			"f.c:1:45:constant-plus 0x10u → 17u",
		}},
		{"declarations are left", "static int g(int a, int b);\nvoid f(void) {\n    struct stat *st = x;\n    T *p = y;\n    T q = z;\n    *p = q;\n}", []string{
			"f.c:6:5:statement-deletion *p = q; → (void)0;",
		}},
		{"a loop", "void f(void) { while (*p != 0 || q) { p++; break; } do h(); while (a == b); }", []string{
			"f.c:1:23:condition-false *p != 0 || q → 0",
			"f.c:1:26:relational != → ==",
			"f.c:1:29:constant-minus 0 → (-1)",
			"f.c:1:29:constant-plus 0 → 1",
			"f.c:1:31:logical || → &&",
			"f.c:1:39:statement-deletion p++; → (void)0;",
			"f.c:1:40:arithmetic ++ → --",
			"f.c:1:44:statement-deletion break; → (void)0;",
			"f.c:1:56:statement-deletion h(); → (void)0;",
			"f.c:1:68:condition-false a == b → 0",
			"f.c:1:70:relational == → !=",
		}},
		{"arithmetic", "int f(T *t) { return a * b + (T *)c - *d + -e; }", []string{
			"f.c:1:15:return-ok return a * b + (T *)c - *d + -e; → return 0;",
			"f.c:1:24:arithmetic * → +",
			"f.c:1:28:arithmetic + → -",
			"f.c:1:37:arithmetic - → +",
			"f.c:1:42:arithmetic + → -",
		}},
		{"a switch", "int f(void) { switch (a) { case B: c(); break; default: s->d = e; return true; } }", []string{
			"f.c:1:36:statement-deletion c(); → (void)0;",
			"f.c:1:41:statement-deletion break; → (void)0;",
			"f.c:1:57:statement-deletion s->d = e; → (void)0;",
			"f.c:1:67:return-other return true; → return false;",
		}},
		{"through a pointer", "void f(void) { host->free(a); s.t->u(b)->c = d; }", []string{
			"f.c:1:16:statement-deletion host->free(a); → (void)0;",
			"f.c:1:31:statement-deletion s.t->u(b)->c = d; → (void)0;",
		}},
		{"no code", "/* if (a) b(); */\n#include <a.h>\n#if A > 1\n#endif\nconst char *s = \"if (a < 1) b();\"; // a = 1;\nchar c = '1';", nil},
		{"the body of a macro", "#define MERGE(a)      \\\n    void f(void) {    \\\n        lock(a, b);   \\\n    }\nMERGE(1)\n", []string{
			"f.c:3:9:statement-deletion lock(a, b); → (void)0;",
			"f.c:3:14:argument-swap a, b → b, a",
			"f.c:5:7:constant-minus 1 → 0",
			"f.c:5:7:constant-plus 1 → 2",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var have []string
			for _, m := range Mutate("f.c", tt.source) {
				have = append(have, m.ID()+" "+m.Change())
				assert.NotEqual(t, tt.source, m.Apply(tt.source))
			}
			assert.Equal(t, tt.want, have)
		})
	}
}

func TestMutant_Apply(t *testing.T) {
	source := "int f(void) { if (a) return b(c, d); }"
	var all []string
	for _, m := range Mutate("f.c", source) {
		all = append(all, m.Apply(source))
	}
	assert.Equal(t, []string{
		"int f(void) { if (0) return b(c, d); }",
		"int f(void) { if (1) return b(c, d); }",
		"int f(void) { if (a) return 0; }",
		"int f(void) { if (a) return b(d, c); }",
	}, all)
}

func TestSpread(t *testing.T) {
	for n := range 300 {
		have := spread(n)
		require.Len(t, have, n)
		slices.Sort(have)
		for i, v := range have {
			require.Equal(t, i, v, "of %d", n)
		}
	}
}
