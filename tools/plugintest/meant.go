package plugintest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// What the documentation of a method says of values that it does not keep as they are. Such a
// method is as it is meant to be.
var (
	meantNumber = regexp.MustCompile(`(?i)\bmod(ulo|ulus)?\b|\bwrap|roll(s|ing)? over|\d+[- ]?bits?\b|\bbits\b|\blow(est|er)? (byte|word)|truncat|clamp|saturat|checksum|\bhash|overflow|precision|\bfloat32\b`)
	meantEnds   = regexp.MustCompile(`(?i)saturat|\bclamp|\bstays?\b|\bwraps?\b|\bmodulo\b|overflow|\bin the order\b|\binfin(ite|ity)\b|\bnan\b|\bold(er|est)?\b|\bnewe(r|st)\b|\blatest\b|\brecent|\bwindow\b|\bignored?\b|\bdrop(s|ped)?\b|\blate\b|\bexpire`)
	meantText   = regexp.MustCompile(`(?i)\bnormal\b|\bnormali[sz]|\bzero bytes?\b|\bterminat|\bseparat|\bin the format\b|\bat most\b|\bup to\b|\buntil\b|truncat|\bcuts?\b|shorten|\bfirst \w+|\bnul\b|\bc('s)? strings?\b|\blimit|\bonly the\b|significant`)
	meantStale  = regexp.MustCompile(`(?i)\bcache|\bsnapshot|\buntil\b|\bwhen it was\b|\b(last|first) (time|call)`)
	meantCopy   = regexp.MustCompile(`(?i)\bwithout\b|\bexcept|\bbut (not|for)\b|\bonly\b|\bshallow|\bnot (the|its|copied|saved|kept)\b|\bfirst\b`)
	meantSquare = regexp.MustCompile(`(?i)\bquadratic|\bsquare|O\(|\bslow|\bpairs?\b|\bpairwise|\bevery two\b|\beach (of the )?others?\b`)
	meantJoined = regexp.MustCompile(`(?i)\btogether\b|\bjoin|\bconcat|\bcombin|\bfollowed by\b|\bprefix|\bsuffix|\bending\b|\bstem\b|\bparts? of\b`)
	meantBegins = regexp.MustCompile(`(?i)\bprefix|\bbeg(i|u)n|\bstart|\bcomplet|\babbrev|\bsearch|\bmatch|\blongest\b|\brout(e|ing)|\bunder\b.*\bpath|\bnear|\blike\b`)
	meantKept   = regexp.MustCompile(`(?i)\b(until|in|by|at) shutdown\b|\bfor (the life|as long as|ever\b|good\b)|\bforever\b|\b(end of|until) the process\b|\bprocess ends\b|\bnever (freed|released|forgotten|removed)\b`)
	meantLife   = regexp.MustCompile(`(?i)\bprocess\b|\bstarts?\b|\bstarted\b|\bsince\b|\blife|\binit\b|\bshutdown\b|\bloaded\b`)
	meantShared = regexp.MustCompile(`(?i)\ball \w+ (share|see|receive)\b|\b(every|any)(body|one)\b|\bone \w+( \w+)? (of|in) the (library|process|plugin)\b|\b(all|every|other) instances?\b|\b(all|every) (box(es)?|objects?)\b|\bother (boxes|objects)\b|\b(whole|entire) (library|plugin)\b|\b(library|plugin|process|program)[- ]wide\b|\bacross (instances|boxes|objects)\b|\ball \w+ (of|in) the (library|plugin)\b|\binstances (have|share)|\bshared?\b|\bglobal|\bprocess\b`)
)

// howToMean is how an author says that a method is meant to be so.
const howToMean = `; where it is meant, have the method's doc say so ("modulo 256", "the low 16 bits", "at most 255 bytes")`

// howToShare is the same for one that says something of all instances.
const howToShare = `; where it is meant to be of all instances, have the method's doc say so ("of all instances")`

// howToKeep is the same for one that keeps an answer.
const howToKeep = `; where it is meant to stay, have the method's doc say so ("a snapshot", "until refresh is called")`

// howToRemember is the same for one that keeps what it is given when its instance has ended.
const howToRemember = `; where it is kept on purpose, have the doc of the method or of the box say so ("the last 10,000 are kept until shutdown")`

// howToBegin is the same for one that takes the beginning of a text for it.
const howToBegin = `; where it is meant, have the method's doc say so ("the first that begins so")`

// howToCopy is the same for one that makes a copy.
const howToCopy = `; where something is left out on purpose, have the method's doc say so ("without the history")`

// howToHalf is the same for one that does a part of its work where it fails.
const howToHalf = `; where it is meant, have the method's doc say so ("stops at the first error, and keeps what came before")`

// means tells whether the documentation of one of the methods says that such values do not stay
// as they are.
func means(what *regexp.Regexp, methods ...*method) bool {
	return slices.ContainsFunc(methods, func(m *method) bool { return m.declared != nil && what.MatchString(m.declared.Doc) })
}

// meansShared tells whether the documentation of a method, or of its box, says that what it answers is not of one instance alone.
func meansShared(m *method) bool {
	return means(meantShared, m) || m.box.means(meantShared) || means(m.box.ofAll(), m)
}

// ofAll is how documentation speaks of all instances by the name of their box: "all ledgers", of a LedgerBox.
func (b *box) ofAll() *regexp.Regexp {
	name := strings.TrimSuffix(strings.TrimSuffix(b.name, "Box"), "s")
	return regexp.MustCompile(`(?i)\b(all|every|any|each|other|another)( of)?( the)?( \w+)? ` + regexp.QuoteMeta(name) + `(e?s)?\b`)
}

// fixToRemember is how to mend memory that grows, or to say that it is meant.
func fixToRemember() string {
	rule, _ := RuleOf(codeGrowth)
	return rule.Fix + howToRemember
}

// meansKept tells whether the documentation of a method, or of its box, says that something outlives instances.
func meansKept(m *method) bool { return means(meantKept, m) || m.box != nil && m.box.means(meantKept) }

// means tells whether the documentation of the box itself says so.
func (b *box) means(what *regexp.Regexp) bool {
	return b.own != nil && what.MatchString(b.own.Doc) || b.conf != nil && what.MatchString(b.conf.Doc)
}

// meansDamage tells whether the documentation of methods says that a value does not come back. A
// text that is no longer than a size that it names is meant to.
func meansDamage(v tlv.Value, methods ...*method) bool {
	if !isText(v) {
		return means(meantNumber, methods...)
	}
	return means(meantText, methods...) && v.Len() > namedSize(methods)
}

var sizes = regexp.MustCompile(`\d[\d,]*`)

// namedSize is the largest number in the documentation of methods; 0 for none.
func namedSize(methods []*method) (most int) {
	for _, m := range methods {
		if m.declared == nil {
			continue
		}
		for _, text := range sizes.FindAllString(m.declared.Doc, -1) {
			if n, err := strconv.Atoi(strings.ReplaceAll(text, ",", "")); err == nil {
				most = max(most, n)
			}
		}
	}
	return most
}
