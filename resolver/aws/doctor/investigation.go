package doctor

import (
	"context"
	"sync"

	"ambit/resolver/aws"
)

// investigation is what AWS says of the credentials that programs would use.
type investigation struct {
	once sync.Once

	reader reader
	source Source // the winner
	found  bool   // there is one whose keys can be asked for

	trial  *aws.Trial // of its chain; nil where the keys stand in the source
	keys   aws.Keys
	asked  bool // GetCallerIdentity was called with them
	who    aws.Identity
	answer aws.Refusal
	err    error
}

// investigate asks AWS, once, whom the credentials speak for: those that the AWS
// CLI would use, or where it gives up by itself, those of other programs.
func (x *examination) investigate(ctx context.Context) *investigation {
	v := &x.investigation
	v.once.Do(func() {
		for _, r := range readers {
			s, trouble, ok := x.winner(r)
			if ok && trouble == "" && !x.lost(r) && x.stops(r).reason == "" {
				v.reader, v.source, v.found = r, s, true
				break
			}
		}
		for _, r := range readers {
			if s, trouble, ok := x.winner(r); !v.found && ok && trouble == "" && s.Kind == "keys" && s.profile == "" {
				// They are what is left once the configuration is mended.
				v.reader, v.source, v.found = r, s, true
			}
		}
		if !v.found {
			return
		}
		switch v.source.Kind {
		case "keys":
			v.keys = v.source.keys
		case "instance":
			v.keys = x.instance(ctx).keys
		default:
			trial := aws.Try(ctx, x.baseline(), x.Now, x.Run, v.source.profile)
			v.trial, v.keys = &trial, trial.Keys
		}
		at, ok := x.address()
		if v.keys.AccessKeyID == "" || v.keys.SecretAccessKey.Len() == 0 || !ok {
			return
		}
		v.asked = true
		v.who, v.answer, v.err = aws.Ask(ctx, x.baseline(), v.source.profile, v.keys, at)
		if v.err != nil {
			return
		}
		if v.reader.python() {
			x.accepted.Store(true)
		}
		learned := v.source
		learned.KeyID, learned.Account = shown(v.keys), v.who.Account
		switch {
		case v.trial != nil:
			learned.ExpiresAt = v.trial.Expires
		case v.source.Kind == "instance":
			learned.ExpiresAt = x.instance(ctx).expires
		}
		x.learned.Store(&learned)
	})
	return v
}

// sourcesAsLearned are the places, and of the one that won what AWS said about it.
func (x *examination) sourcesAsLearned() []Source {
	sources, known := x.sources(), x.learned.Load()
	for i, s := range sources {
		if known != nil && s.Place == known.Place && s.Kind == known.Kind {
			sources[i].KeyID, sources[i].Account, sources[i].ExpiresAt = known.KeyID, known.Account, known.ExpiresAt
		}
	}
	return sources
}

// shown is a set of keys as findings name it.
func shown(k aws.Keys) string { return maskID(k.AccessKeyID) }

// elsewhere asks about keys in other regions, beside each other, and returns those
// that know them.
func (x *examination) elsewhere(ctx context.Context, k aws.Keys, profile string, regions ...string) (known []string) {
	var wait sync.WaitGroup
	ok := make([]bool, len(regions))
	for i, region := range regions {
		at, err := aws.STSAddress(x.baseline(), profile, region)
		if err != nil {
			continue
		}
		wait.Go(func() {
			_, _, err := aws.Ask(ctx, x.baseline(), profile, k, at)
			ok[i] = err == nil
		})
	}
	wait.Wait()
	for i, region := range regions {
		if ok[i] {
			known = append(known, region)
		}
	}
	return known
}
