package doctor

import "testing"

func TestSettle(t *testing.T) {
	found := Settle([]Finding{
		{Check: "aws.region", Status: OK, Evidence: "fine"},
		{Check: "aws.keys", Status: Fail, Evidence: "form", Fix: "1"},
		{Check: "aws.token", Status: Warn, Evidence: "soon", Fix: "2", Causes: []string{"aws.keys"}},
		{Check: "aws.keys", Status: Fail, Evidence: "refused", Fix: "3", Causes: []string{"aws.family", "aws.keys"}},
		{Check: "aws.role", Status: Fail, Evidence: "no", Fix: "4", Causes: []string{"aws.clock", "aws.keys"}},
		{Check: "aws.order", Status: Fail, Evidence: "other", Fix: "5", Causes: []string{"aws.order", "aws.files"}},
	})
	want := []Finding{
		{Check: "aws.keys", Status: Fail, Evidence: "form", Fix: "1"},
		{Check: "aws.order", Status: Fail, Evidence: "other", Fix: "5"},
		{Check: "aws.token", Status: Warn, Evidence: "soon", Fix: "2"},
		{Check: "aws.keys", Status: Warn, Evidence: "refused, because of aws.keys"},
		{Check: "aws.role", Status: Warn, Evidence: "no, because of aws.keys"},
		{Check: "aws.region", Status: OK, Evidence: "fine"},
	}
	if len(found) != len(want) {
		t.Fatal(spelled(found))
	}
	for i, f := range found {
		f.Causes = nil
		if f.Check != want[i].Check || f.Status != want[i].Status || f.Evidence != want[i].Evidence || f.Fix != want[i].Fix {
			t.Errorf("%d: %+v, want %+v", i, f, want[i])
		}
	}
	if !Failed(found) || Failed(found[2:]) {
		t.Error("who failed")
	}
}
