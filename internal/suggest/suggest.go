// Package suggest finds the known name that a misspelt one was meant to be.
//
// All functions are safe for concurrent use.
package suggest

// DidYouMean returns " (did you mean X?)" for the known name that is nearest to
// name, or an empty string where none is near.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// Nearest returns the known name with the fewest typing mistakes to name, or an
// empty string. One mistake is allowed for every three letters of name, and one
// in any case: what differs more is another name. Of a name that begins a known one half may be missing.
//
// Names may come from a plugin: of many or long ones, those behind the first are not looked
// at, so that an answer takes milliseconds at most.
func Nearest(name string, known []string) string {
	best, limit := "", max(1, len(name)/3)
	most, left := max(limit, len(name)), maxCells
	for _, k := range known {
		// The difference in length is a lower bound of the distance.
		if max(len(k)-len(name), len(name)-len(k)) > most {
			continue
		}
		if left -= len(name) * len(k); left < 0 {
			break
		}
		d := Distance(name, k)
		if d > limit && !isBeginning(name, k) || d > most || d >= min(len(name), len(k)) {
			continue
		}
		best, most = k, d-1
	}
	return best
}

func isBeginning(name, of string) bool {
	return len(name) <= len(of) && len(of) <= 2*len(name) && fold(name) == fold(of[:len(name)])
}

// maxCells is how many pairs of letters are compared for one answer. 10,000 names of 20
// letters have as many.
const maxCells = 4 << 20

// Distance is the number of bytes to insert, delete, replace or swap with their
// neighbour that turn a into b (optimal string alignment), ASCII case ignored.
func Distance(a, b string) int {
	a, b = fold(a), fold(b)
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[(i+2)%3], rows[(i)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}

func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
