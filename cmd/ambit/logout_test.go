package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Each error of a logout is told, not only the first one that has a hint.
func TestJoined(t *testing.T) {
	a, b, c := errors.New("a"), fmt.Errorf("b: %w", errors.New("inside")), errors.New("c")
	for name, test := range map[string]struct {
		err  error
		want []error
	}{
		"none":   {nil, nil},
		"one":    {b, []error{b}},
		"nested": {errors.Join(errors.Join(a, nil, b), nil, c), []error{a, b, c}},
	} {
		if got := joined(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
