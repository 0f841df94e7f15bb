package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/safefile"
	"ambit/shells"
)

// maxChange is the most bytes of names and values that one load may set.
const maxChange = 256 << 10

// Process is what the program was started with.
type Process struct {
	Shell    shells.Shell
	Typed    bool     // it is not a prompt: a command was typed and waits
	Env      []string // as os.Environ gives it
	UID, GID int      // effective user and group
	Now      func() time.Time
	Stdout   io.Writer // what the shell evaluates: one write, or none
	Stderr   io.Writer

	// What most prompts do not need is asked for when it is.
	Terminal  func() int              // see [Terminal]
	Resolver  func() []string         // the command line of `ambit`, to which arguments are added; nil if there is none
	Interrupt func() <-chan os.Signal // begins to listen for Ctrl-C and a closed terminal
}

// run is the work of one prompt.
type run struct {
	p        Process
	env      Environ
	places   Places
	pwd      string // the shell's $PWD if that is where we are, else ""
	physical bool   // and it has no symbolic links
	cache    *cache.Dir
	noCache  error // why nothing can be kept, or be watched
	settings Settings
	keys     *Keys
	session  *Session // nil: none
	baseline Environ  // the environment without anything of ours
	now      time.Time
	// As it was before anything else was read: what is touched from then on is
	// news at the next prompt.
	generation generation
	waiting    context.Context // see patience
	made       string          // the set of files that was written
}

// answer is what a prompt comes to.
type answer struct {
	session *Session // what to remember, without what is held; nil: nothing
	want    wanted
	watch   watch
	until   int64           // when to ask again, epoch seconds; 0 = when something changes
	dead    int64           // when what is set dies
	ask     bool            // a typed command has to ask: there is a failure that may pass
	reads   []string        // process variables that the result depends on
	say     []cache.Message // said unless it was said last time
	still   bool            // what was said last time still holds and need not be found out again
	notices []cache.Message // said when the environment is loaded
	expires int64           // of the credentials, for people
}

// Run answers one prompt and returns the exit status: 0, or 130 when the user
// interrupted it, and then nothing was printed for the shell.
func Run(p Process) int {
	r := &run{p: p, env: NewEnviron(p.Env), now: p.Now()}
	r.places = NewPlaces(r.env, p.UID)
	r.pwd, r.physical = workingDir(r.env)
	r.cache, r.noCache = cache.Open(r.places.Cache, p.UID) // without one all is a miss
	if path, mtime, err := r.cache.Generation(r.now); err == nil {
		r.generation = generation{path, mtime}
	} else if r.noCache == nil {
		r.noCache = err
	}
	var stale bool
	r.settings, stale = LoadSettings(r.cache, r.places, p.UID)

	var keyErr, err error
	if r.keys, keyErr = LoadKeys(r.places, p.UID); keyErr == nil {
		r.session, err = r.keys.OpenSession(r.env[StateVar])
	} else if state := r.env[StateVar]; state != "" && !IsUnsealed(state) {
		err = errSeal
	}
	if err != nil {
		r.say(warning("this shell's session cannot be read; what it had set stays"))
		r.say(hint("open a new shell"))
	}
	r.baseline = r.keys.Baseline(r.env, r.session)

	a, err := r.decide(stale, keyErr)
	if err != nil {
		return 130
	}
	r.answer(a)
	r.dropFiles(a.session)
	return 0
}

// workingDir is $PWD if that is the current directory, and whether it has no
// symbolic links. A $PWD that is not is ignored, and without one there is nothing
// to look for.
func workingDir(env Environ) (dir string, physical bool) {
	pwd := env["PWD"]
	here, err := syscall.Getwd() // os.Getwd would ask about $PWD again
	if err != nil || !strings.HasPrefix(here, "/") {
		return "", false // deleted, or outside of our root
	}
	if pwd == here {
		return pwd, true
	}
	if strings.HasPrefix(pwd, "/") {
		there, err := os.Stat(pwd)
		if at, herr := os.Stat("."); err == nil && herr == nil && os.SameFile(at, there) {
			return pwd, false
		}
	}
	return here, true
}

func (r *run) say(m cache.Message) {
	Voice{W: r.p.Stderr, Places: r.places, Dir: r.pwd}.Say(m)
}

// decide finds what this directory's environment is to be. The only error is
// errInterrupted.
func (r *run) decide(stale bool, keyErr error) (*answer, error) {
	if r.pwd == "" {
		return &answer{}, nil
	}
	found := r.find()
	if dir := found.dir(); stale && dir != "" && r.cache != nil {
		if err := r.renew(dir); err != nil {
			return nil, err
		}
		found = r.find()
	}
	a := &answer{watch: watch{dir: found.Dir, spelled: strings.TrimSuffix(found.File, "/"+FileName)}}
	for _, path := range found.Absent {
		a.watch.add(path, true)
	}
	for _, f := range found.Foreign {
		a.watch.add(f.File, false)
		a.say = append(a.say, f.Messages(r.places.Short(f.File, r.pwd))...)
		// No shell sees when its owner takes the permission away.
		if info, err := os.Lstat(f.File); err == nil {
			stat, ok := info.Sys().(*syscall.Stat_t)
			a.watch.doubtful = a.watch.doubtful || ok && int(stat.Uid) == r.p.UID
		}
	}
	if len(a.say) > 0 {
		a.session = &Session{State: Blocked}
	}
	if config := r.places.ConfigFile(); config != "" && (found.File != "" || len(found.Foreign) > 0) {
		a.watch.addNow(config)
	}
	if found.File == "" {
		return a, nil
	}
	a.watch.add(found.File, found.Dangling)
	if keyErr != nil {
		help := "set HOME to an absolute path"
		if r.places.State != "" {
			help = fmt.Sprintf("see that %s is yours alone and that there is room; a damaged key may be removed", r.places.Short(r.places.State, r.pwd))
		}
		a.say = append(a.say, errorMessage("no session can be kept: "+keyErr.Error()), hint(help))
		return a, nil
	}

	trust := NewTrust(r.places, r.p.UID)
	record := trust.Record(found.Dir)
	verdict, contents := record.Check()
	if (verdict == Unknown || verdict == Changed) && r.trusts(found.Dir) {
		if err := r.renew(found.Dir); err != nil {
			return nil, err
		}
		record = trust.Record(found.Dir)
		verdict, contents = record.Check()
	}
	if verdict == Allowed && record.Auto && !r.trusts(found.Dir) {
		verdict = Unknown // it was, by settings or an AMBIT_TRUST that are gone
	}
	a.say = append(a.say, r.settings.Failure...)
	if record != nil {
		for _, l := range record.Files {
			path := l.Path
			if l.Via != "" {
				path = l.Via
			}
			if verdict == Allowed {
				a.watch.add(path, l.Absent) // as it was just read
			} else {
				a.watch.addNow(path)
			}
		}
	}
	if verdict != Allowed || record.Auto {
		a.reads = append(a.reads, trustVar)
	}
	a.session = &Session{State: Blocked, Dir: found.Dir}
	if verdict != Allowed {
		a.say = append(a.say, r.blocked(a, found, verdict)...)
		return a, nil
	}
	return a, r.load(a, record, contents)
}

// renew has the resolver renew the settings, and the record of a directory that
// they trust. What it resolves is in the cache for the next step. The only error
// is errInterrupted.
func (r *run) renew(dir string) error {
	if _, err := r.resolve(dir); errors.Is(err, errInterrupted) {
		return err
	}
	r.settings, _ = LoadSettings(r.cache, r.places, r.p.UID)
	return nil
}

func (r *run) find() Found {
	owner := safefile.Owner{UID: r.p.UID, GID: r.p.GID}
	search := Search{
		Home: r.places.Home, Ceilings: CeilingsOf(r.env), OneFilesystem: r.settings.OneFilesystem, Physical: r.physical,
		Owner: owner, Safe: r.settings.Safe,
	}
	found := search.Find(r.pwd)
	if found.File == "" || r.p.UID != 0 || r.env["SUDO_UID"] == "" {
		return found
	}
	// Root by sudo: another user's directory, and that user's shell.
	for _, safe := range r.settings.Safe {
		if within(safe, found.Dir) {
			return found
		}
	}
	return Found{}
}

// trusts says whether the user's settings, or AMBIT_TRUST, trust a directory
// without being asked. Both are the user's alone: no file can set AMBIT_*.
func (r *run) trusts(dir string) bool {
	if r.settings.SameContent {
		return true // the resolver looks whether it is a worktree
	}
	for _, t := range append(TrustedOf(r.env), r.settings.Trusted...) {
		if within(t, dir) {
			return true
		}
	}
	return false
}

// TrustedOf reads AMBIT_TRUST, a list of directories separated by colons, as
// canonical paths.
func TrustedOf(env Environ) []string {
	var out []string
	for dir := range strings.SplitSeq(env[trustVar], ":") {
		if strings.HasPrefix(dir, "/") {
			if real, err := canonicalDir(dir); err == nil {
				out = append(out, real)
			}
		}
	}
	return out
}

func (r *run) blocked(a *answer, found Found, v Verdict) []cache.Message {
	file := r.places.Short(found.File, r.pwd)
	if v == Denied {
		return []cache.Message{plain(file + " is denied here"), hint(`run "ambit allow" to lift that`)}
	}
	if _, err := safefile.Read(found.File); err != nil && (found.Dangling || !errors.Is(err, fs.ErrNotExist)) {
		// No shell sees when its owner makes it readable.
		a.watch.doubtful = errors.Is(err, fs.ErrPermission)
		text := err.Error()
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			text = path.Err.Error()
		}
		if errors.Is(err, fs.ErrNotExist) {
			text = "is a link that leads nowhere"
		}
		return []cache.Message{errorMessage(file + " cannot be used: " + text), hint("it has to be a readable, regular file of at most 1 MiB")}
	}
	if v == Changed {
		return []cache.Message{plain(file + " has changed since it was allowed"), hint(`run "ambit allow" to see the difference`)}
	}
	return []cache.Message{plain(file + " is not allowed here"), hint(`run "ambit allow" to see what it would load`)}
}
