package resolver

import (
	"fmt"
	"strings"
)

// Nearest returns the one name that word was probably meant to be, or "". The
// distance is that of optimal string alignment (a swap of neighbours is 1),
// case, `_` and `-` ignored, and at most a third of the word and at least 1.
// Ties go to the first in byte order.
func Nearest(word string, names []string) string {
	plain := func(s string) []rune {
		return []rune(strings.Map(func(r rune) rune {
			if r == '_' || r == '-' {
				return -1
			}
			return r
		}, strings.ToLower(s)))
	}
	w := plain(word)
	if len(w) == 0 || len(w) > 200 {
		return ""
	}
	limit := max(1, len(w)/3)
	best, bestName := limit+1, ""
	for _, name := range names {
		if name == word {
			continue
		}
		n := plain(name)
		if len(n) > len(w)+limit || len(w) > len(n)+limit {
			continue
		}
		if d := distance(w, n); d < best || d == best && d <= limit && name < bestName {
			best, bestName = d, name
		}
	}
	return bestName
}

// didYouMean is the hint for a word that none of the names is.
func didYouMean(word string, names []string) string {
	if name := Nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

func distance(a, b []rune) int {
	var two, one []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		two, one, row = one, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
