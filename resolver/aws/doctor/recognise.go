package doctor

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ambit/resolver/aws"
)

// Recognised is an error of AWS, or of a program that did not get as far as AWS. No
// field holds more of the text than is known to be no secret.
type Recognised struct {
	Code      string `json:"code"`                // AWS's, or for what goes wrong before AWS has answered the name of botocore's exception
	Message   string `json:"message,omitempty"`   // of the program, cut, without what may be a secret
	Service   string `json:"service,omitempty"`   // as the program names it
	Operation string `json:"operation,omitempty"` // such as GetCallerIdentity
	Status    int    `json:"status,omitempty"`    // of HTTP, 0 if it is not said
	Program   string `json:"program,omitempty"`   // that printed it, such as "AWS CLI"

	Kind   aws.Kind `json:"kind"`
	Proves string   `json:"proves"` // what the error alone shows: a clause
	Checks []string `json:"checks"` // that tell its causes apart
	Local  bool     `json:"-"`      // and need no network for it

	Profile string `json:"profile,omitempty"` // that the text names; foreign, not yet printable

	text string // what was printed, for [Recognised.Findings]; it may hold a secret
}

const (
	// MostText is how many bytes of a text are read.
	MostText = 10 << 20

	windowSize = 1 << 20
	overlap    = 16 << 10 // an error is not longer
	mostErrors = 8
)

// Recognise reads what a program printed and returns the errors of AWS in it, each
// sort once, at most 8, in the order in which they stand there: the first is the
// one to explain. It reads 10 MiB at most. Its error is the reader's.
func Recognise(r io.Reader) ([]Recognised, error) {
	var all sightings
	buffer := make([]byte, 0, windowSize)
	r = io.LimitReader(r, MostText)
	for offset := 0; ; {
		n, err := io.ReadFull(r, buffer[len(buffer):windowSize])
		buffer = buffer[:len(buffer)+n]
		all.look(newPassage(buffer), offset, err == nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return all.decide(), nil
		}
		if err != nil {
			return nil, err
		}
		keep := buffer[len(buffer)-overlap:]
		offset += len(buffer) - overlap
		buffer = append(buffer[:0], keep...)
	}
}

// late is a regular expression that is compiled when it is first used: the other
// commands of a program that links this package are not to wait for it.
func late(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// passage is a piece of text in the two forms in which it is looked at.
type passage struct {
	clean    string // without escapes, control characters and frames
	squeezed string // clean without white space, quotes and backslashes: terminals wrap where they like, logs quote what they quote
	lower    string // squeezed, in lower case
	at       []int32
	aboutAWS bool
	framed   bool // as Terraform and OpenTofu do it
	brief    bool // somebody gave no more than an error
}

var frames = strings.NewReplacer("│", "", "╷", "", "╵", "", "┃", "", "\u200b", "")

// withoutEscapes leaves out what steers a terminal. A sequence that does not end is
// text after its introduction: it must not swallow what follows.
func withoutEscapes(b []byte) []byte {
	const mostString = 2048
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != 0x1b {
			out = append(out, b[i])
			i++
			continue
		}
		i++
		if i == len(b) {
			break
		}
		switch c := b[i]; {
		case c == '[':
			for i++; i < len(b) && b[i] >= 0x20 && b[i] < 0x40; i++ {
			}
			if i < len(b) && b[i] >= 0x40 && b[i] < 0x7f {
				i++
			}
		case strings.IndexByte("]PX^_", c) >= 0:
			i++
			rest := b[i:min(len(b), i+mostString)]
			if end := bytes.IndexAny(rest, "\x07\x1b"); end >= 0 {
				i += end
				switch {
				case b[i] == 0x07:
					i++
				case bytes.HasPrefix(b[i:], []byte("\x1b\\")):
					i += 2
				}
			}
		default:
			for ; i < len(b) && b[i] >= 0x20 && b[i] < 0x30; i++ {
			}
			i++
		}
	}
	return out
}

func newPassage(b []byte) *passage {
	clean := frames.Replace(strings.ToValidUTF8(string(withoutEscapes(b)), ""))
	framed := len(clean) > 0 && bytes.Contains(b, []byte("╷")) && bytes.Contains(b, []byte("│"))
	clean = strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return -1
		}
		return c
	}, clean)
	p := &passage{clean: clean, framed: framed, brief: len(clean) < 200}
	squeezed := make([]byte, 0, len(clean))
	p.at = make([]int32, 0, len(clean)+1)
	for i := range len(clean) {
		switch c := clean[i]; c {
		case ' ', '\t', '\n', '"', '\'', '`', '\\':
		default:
			squeezed = append(squeezed, c)
			p.at = append(p.at, int32(i))
		}
	}
	p.at = append(p.at, int32(len(clean)))
	p.squeezed = string(squeezed)
	for i, c := range squeezed {
		if 'A' <= c && c <= 'Z' {
			squeezed[i] += 'a' - 'A'
		}
	}
	p.lower = string(squeezed)
	p.aboutAWS = strings.Contains(p.lower, "aws") || strings.Contains(p.lower, "amazon") || strings.Contains(p.lower, "169.254.169.254")
	return p
}

// original is the text that was squeezed to squeezed[from:to].
func (p *passage) original(from, to int) string {
	if from >= to {
		return ""
	}
	return p.clean[p.at[from] : p.at[to-1]+1]
}

// sighting is a pattern that was found.
type sighting struct {
	Recognised
	at       int
	strength strength
}

// sightings are those of a whole text.
type sightings []sighting

// strength says how sure a pattern is.
type strength int

const (
	weak      strength = iota // counts where nothing surer is anywhere
	wording                   // AWS's sentence or code, in whatever frame; the frame knows more
	structure                 // a program's own way to say an error
)

// near is how far the parts of one error stand from each other.
const near = 1500

// Bounds of what is looked at closely, in a passage: a text may be made of anchors.
const (
	mostPerPattern = 8
	mostFound      = 200
	mostTries      = 1000
)

// look finds all patterns in a passage that begins at an offset of the text.
// More says that the next passage begins with the end of this one.
func (s *sightings) look(p *passage, offset int, more bool) {
	var found []sighting
	for _, pat := range patterns() {
		if pat.context && !p.aboutAWS {
			continue
		}
		n := 0
		for from, tries := 0, 0; n < mostPerPattern && len(found) < mostFound && tries < mostTries; tries++ {
			i := strings.Index(p.lower[from:], pat.anchor)
			if i < 0 {
				break
			}
			at := from + i
			from = at + len(pat.anchor)
			if seen, ok := pat.match(p, at); ok {
				found = append(found, seen)
				n++
			}
		}
	}
	found = append(found, bareCodes(p)...)
	slices.SortStableFunc(found, func(a, b sighting) int { return cmp.Compare(a.at, b.at) })
	for i, one := range found {
		framed := one.strength == wording && slices.ContainsFunc(found, func(o sighting) bool {
			return o.strength == structure && o.at <= one.at+near/5 && o.at >= one.at-near
		})
		if cut := more && one.at > len(p.squeezed)-overlap/4; !framed && !cut {
			s.add(p, found[i], offset)
		}
	}
}

// add takes a sighting unless that sort was seen: other names of one failure are
// one sort.
func (s *sightings) add(p *passage, one sighting, offset int) {
	at := one.at
	one.at += offset
	for i, old := range *s {
		if old.Kind != one.Kind || old.Proves != one.Proves {
			continue
		}
		if one.strength > old.strength {
			one.Program, one.at = p.program(at, one.Program), min(one.at, old.at)
			(*s)[i] = one
		}
		return
	}
	one.Program = p.program(at, one.Program)
	*s = append(*s, one)
}

// decide keeps the surest and tells them in order.
func (s sightings) decide() []Recognised {
	if slices.ContainsFunc(s, func(o sighting) bool { return o.strength > weak }) {
		s = slices.DeleteFunc(s, func(o sighting) bool { return o.strength == weak })
	}
	slices.SortStableFunc(s, func(a, b sighting) int { return cmp.Compare(a.at, b.at) })
	var out []Recognised
	for _, one := range s[:min(len(s), mostErrors)] {
		out = append(out, one.Recognised)
	}
	return out
}

// match tries a pattern whose anchor stands at an index of the squeezed text.
func (pat *pattern) match(p *passage, at int) (sighting, bool) {
	end := at + len(pat.anchor)
	r := Recognised{Code: pat.code, Program: pat.program}
	if pat.re != nil {
		m := pat.re.FindStringSubmatchIndex(p.squeezed[at:min(len(p.squeezed), at+1000)])
		if m == nil {
			return sighting{}, false
		}
		end = at + m[1]
		for i, name := range pat.re.SubexpNames() {
			if name == "" || m[2*i] < 0 {
				continue
			}
			from, to := at+m[2*i], at+m[2*i+1]
			text := p.squeezed[from:to]
			switch name {
			case "code":
				r.Code = text
			case "op":
				r.Operation = text
			case "service":
				r.Service = p.original(from, to)
			case "status":
				r.Status, _ = strconv.Atoi(text) // three digits
			case "profile":
				r.Profile = clip(strings.TrimSpace(p.original(from, to)))
			}
		}
	}
	if pat.refine != nil && !pat.refine(p, at, end, &r) {
		return sighting{}, false
	}
	since := at
	switch {
	case pat.code == "" && pat.re != nil && pat.since == "": // the code stands in the text, and the message behind it
		since = -1
	case pat.since != "":
		if i := strings.LastIndex(p.lower[max(0, at-300):at], pat.since); i >= 0 {
			since = max(0, at-300) + i
		}
	}
	return finish(p, at, end, since, r, pat.strength)
}

// messageField is the message beside a code in a body or an object of a program.
var messageField = late(`^.{0,12}\s{0,12}(?:<Message>|,?\s{0,8}["']?(?i:message)["']?\s{0,2}[:=]\s{0,2}(?:Some\()?["'])([^<"]+)`)

// finish adds what stands around an error, and what it means. Since is where its
// sentence begins, -1: at its end.
func finish(p *passage, at, end, since int, r Recognised, how strength) (sighting, bool) {
	if m := codeInBody().FindStringSubmatchIndex(p.squeezed[end:min(len(p.squeezed), end+300)]); m != nil && isStatus(r.Code) {
		// The program could not read the answer, which says more than its status.
		r.Status, _ = strconv.Atoi(r.Code)
		r.Code = p.squeezed[end+m[2] : end+m[3]]
		end += m[3]
		since = end
	}
	surround(p, at, end, &r)
	if since < 0 {
		since = end
	}
	r.text = p.sentence(since, end)
	if m := messageField().FindStringSubmatch(p.clean[p.at[end]:min(len(p.clean), int(p.at[end])+mostSentence)]); m != nil {
		r.text = m[1]
	}
	known, ok := aws.MeaningOf(r.Code, r.text)
	if !ok && r.Status != 0 {
		known, ok = aws.MeaningOf(strconv.Itoa(r.Status), r.text)
	}
	if !ok {
		if how != structure || !codeShape().MatchString(r.Code) || shownKeyID().MatchString(r.Code) {
			return sighting{}, false
		}
		known = aws.Meaning{Kind: aws.Request, Proves: "AWS answered with a code that is not about credentials, as far as ambit knows"}
		if r.Status == 401 || r.Status == 403 {
			known = aws.Meaning{Kind: aws.Either, Proves: "AWS refused it, by a code that ambit does not know", Checks: []string{"aws.keys", "aws.family", "aws.order", "aws.token"}}
		}
	}
	r.Kind, r.Proves, r.Checks, r.Local = known.Kind, known.Proves, known.Checks, known.Local
	if r.Checks == nil {
		r.Checks = []string{}
	}
	r.Message = quote(r.text)
	if saysSecrets[r.Code] {
		r.Message = ""
	}
	if r.Code == "RegistryTokenExpired" { // the registry stands in the lines before
		r.text = p.clean[p.at[max(0, at-600)]:p.at[end]]
	}
	return sighting{r, at, how}, true
}

// codeInBody is the first code of an answer in XML, at any depth.
var codeInBody = late(`^[^A-Za-z]{0,20}(?:<\?xml[^>]{0,80}>)?<[^()]{0,200}?<Code>([A-Z][A-Za-z0-9.]{2,80})</Code>`)

func isStatus(code string) bool { return len(code) == 3 && strings.Trim(code, "0123456789") == "" }

var codeShape = late(`^[A-Z][A-Za-z0-9.]{2,80}$`)

// saysSecrets are errors whose text is a header or a file's line.
var saysSecrets = map[string]bool{"InvalidHeader": true, "IncompleteSignature": true, "ConfigParseError": true, "MalformedExpiration": true}

// surround finds service, operation and status before and behind an error.
func surround(p *passage, at, end int, r *Recognised) {
	if m := javaFrame().FindStringSubmatch(p.squeezed[end:min(len(p.squeezed), end+600)]); m != nil && r.Status == 0 {
		r.Service = m[1]
		r.Status, _ = strconv.Atoi(m[2]) // three digits
	}
	before := p.squeezed[max(0, at-800):at]
	if m := last(goOperation(), before); m != nil && r.Operation == "" {
		r.Service, r.Operation = m[1], m[2]
	}
	if m := last(goStatus(), before); m != nil && r.Status == 0 && m[1] != "0" {
		r.Status, _ = strconv.Atoi(m[1]) // three digits
	}
	after := p.squeezed[end:min(len(p.squeezed), end+600)]
	if m := statusAfter().FindStringSubmatch(after); m != nil && r.Status == 0 {
		r.Status, _ = strconv.Atoi(m[1] + m[2] + m[3]) // one of them has three digits
	}
}

// program tells who printed what stands at an index of the squeezed text: the
// outermost program of which there are traces, else known.
func (p *passage) program(at int, known string) string {
	// In a traceback of Python much stands between the program and what it says.
	around := p.lower[max(0, at-8000):min(len(p.lower), at+3500)]
	if p.framed && !strings.Contains(around, "opentofu") {
		return terraform
	}
	for _, prog := range programs {
		if slices.ContainsFunc(prog.marks, func(mark string) bool { return strings.Contains(around, mark) }) {
			return prog.name
		}
	}
	return known
}

var (
	goOperation = late(`operationerror([A-Za-z0-9]{1,40}):([A-Za-z0-9]{1,64}),`)
	javaFrame   = late(`\(Service:(\w{1,40})[,;]StatusCode:(\d{3})[,;]`)
	goStatus    = late(`StatusCode:(\d{3}|0),`)
	statusAfter = late(`statuscode:(\d{3}),requestid:|httpStatusCode:(\d{3})\b|StatusCode\((\d{3})\)`)
)

func last(re *regexp.Regexp, s string) []string {
	all := re.FindAllStringSubmatch(s, -1)
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

const mostSentence = 700

// mostWrapped is how wide a line may be that was wrapped: what a program writes into a
// pipe is not, and below it stands what another one says.
const mostWrapped = 160

// sentence is the text from an index of the squeezed text on to the end of its line,
// and on where the line was wrapped. End is where what was matched ends.
func (p *passage) sentence(from, end int) string {
	i := int(p.at[from])
	least := int(p.at[min(end, len(p.at)-1)])
	rest := p.clean[i:min(len(p.clean), max(least, i)+mostSentence)]
	least -= i
	lineStart := strings.LastIndexByte(p.clean[:i], '\n') + 1
	width := i - lineStart // of the line so far
	stop := 0
	for {
		line, _, more := strings.Cut(rest[stop:], "\n")
		width += len(line)
		stop += len(line)
		if !more || stop >= least && (width < 40 || width > mostWrapped || strings.HasSuffix(strings.TrimSpace(line), ".") || !continues(rest[stop+1:])) {
			return rest[:stop]
		}
		stop++
		width = 0
	}
}

// continues says whether a line may be the rest of one that was wrapped.
func continues(line string) bool {
	return line != "" && !newStatement().MatchString(line)
}

var newStatement = late(`^(\s*$|\s*\n|\s+at |\s*File "|Traceback|During handling|Caused by|caused by|Completed |An error occurred|\s*status code:|\s*\{|\s*<|\s*\d{4}-\d\d-\d\d|\S+[$#>] |[EWIF]\d{4} |g?make(\[\d+\])?: |\S+: line \d+: |npm |##\[|\S{0,20}[Ee]rror: |fatal: )`)

// bareCodes finds the codes of AWS as words, in whatever frame a program puts them.
func bareCodes(p *passage) (found []sighting) {
	for _, code := range wordCodes() {
		n := 0
		for from, tries := 0, 0; n < mostPerPattern && len(found) < mostFound && tries < mostTries; tries++ {
			i := strings.Index(p.squeezed[from:], code)
			if i < 0 {
				break
			}
			at := from + i
			end := at + len(code)
			from = end
			if !p.isWord(at, end) {
				continue
			}
			how := wording
			if commonWords[code] {
				// In other programs' errors these are words, too.
				if !p.brief && (!p.aboutAWS || end == len(p.squeezed) || !strings.ContainsRune(":,(]}", rune(p.squeezed[end]))) {
					continue
				}
				how = weak
			}
			if seen, ok := finish(p, at, end, -1, Recognised{Code: code}, how); ok {
				found = append(found, seen)
				n++
			}
		}
	}
	return found
}

// isWord says whether squeezed[at:end] is one word of the text, wrapped or not.
func (p *passage) isWord(at, end int) bool {
	from, to := int(p.at[at]), int(p.at[end-1])+1
	if from > 0 && isWordByte(p.clean[from-1]) || to < len(p.clean) && isWordByte(p.clean[to]) {
		return false
	}
	// Letters of two words make no code.
	return !strings.ContainsAny(strings.ReplaceAll(p.clean[from:to], "\n", ""), " \t\"'`\\")
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
