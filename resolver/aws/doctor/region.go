package doctor

// A regionChoice is a reader's region and where it is said.
type regionChoice struct {
	name string // "" if none is said
	from string // the variable, or file and line
}

// region is the region that a reader takes for the profile in force. Its form is
// not checked. The region of an instance, which Go asks for last, is not in it.
func (x *examination) region(r reader) regionChoice {
	variables := []string{"AWS_REGION", "AWS_DEFAULT_REGION"}
	if r == cli1 {
		variables = variables[1:]
	}
	for _, v := range variables {
		// An empty variable ends botocore's search without a region.
		if value, ok := x.Environ[v]; value != "" || ok && r.python() {
			return regionChoice{value, v}
		}
	}
	name, _ := x.profileInForce(r)
	if p := x.profile(r, name); p.has("region") {
		return regionChoice{p.get("region"), p.place("region")}
	}
	return regionChoice{}
}
