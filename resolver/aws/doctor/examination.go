package doctor

import (
	"sync"
	"sync/atomic"
)

// examination is what is known of a patient. What is costly is found out once, when
// it is first asked for.
type examination struct {
	Patient
	found []Finding // offline, once those checks are done

	opening sync.Mutex
	opened  map[string]*file // by path
	merging sync.Mutex
	merged  [3]map[string]*profile // by reader
	look    sync.Once
	places  []Source
	chains  [3][]step // by reader

	// accepted is set where AWS took the keys that the AWS CLI would use: what only
	// looked wrong with them is then no failure.
	accepted atomic.Bool

	outlook       outlook
	investigation investigation
	metadata      metadata

	// learned is the winner with what is known of its keys once AWS was asked.
	learned atomic.Pointer[Source]

	// onInstance is set where an instance's metadata gave credentials: then it is a
	// place that holds some.
	onInstance atomic.Bool
}
