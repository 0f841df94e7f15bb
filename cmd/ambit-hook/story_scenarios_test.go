package main_test

import (
	"slices"
	"testing"
)

// scenario is a story that is the same in every shell. Its numbers are those of
// the list that stories are counted by; some tell several at once.
type scenario struct {
	name    string
	numbers []int
	play    func(t *testing.T, h *house, sh shell)
}

var scenarios = slices.Concat(loadScenarios, pathScenarios, valueScenarios, fileScenarios, editScenarios, shellScenarios, commandScenarios)

// Not among them: 24 and 29, which are free.
var elsewhere = []int{24, 29}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			inShells(t, func(t *testing.T, sh shell) {
				t.Parallel()
				s.play(t, newHouse(t), sh)
			})
		})
	}
}

// No number is forgotten when a story is taken out.
func TestEveryScenarioIsPlayed(t *testing.T) {
	played := map[int]bool{36: true, 46: true} // TestInterrupt, TestCanary
	for _, n := range elsewhere {
		played[n] = true
	}
	for _, s := range scenarios {
		for _, n := range s.numbers {
			played[n] = true
		}
	}
	for n := 1; n <= 46; n++ {
		if !played[n] {
			t.Errorf("no story plays scenario %d", n)
		}
	}
}
