// Command verifier verifies an export of driftline's audit as agents/audit/FORMAT.md says: chain, tree, checkpoints,
// witnesses and changes of trust, with Go alone. It prints one line: 0 is all holds, 1 names the record, 2 is usage.
// Usage: verifier GENESIS FOLDER [SIZE:ROOTHEX], the last being what an earlier verification found.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const schema, commandType, maxBytes = "driftline.audit.v1", "application/vnd.driftline.command.v1+json", 1000000

// rootOps are the commands that only roots may sign, and by how much the version of trust grows with each.
var rootOps = map[string]uint64{"trust-set": 1, "key-revoke": 1, "policy-set": 1, "log-reset": 0}

// escapes are all that may stand in JSON with a backslash; half a pair of surrogates is none.
var escapes = regexp.MustCompile(`\\([^u]|u([^dD]|[dD][0-7]|[dD][89abAB]..\\u[dD][c-fC-F]))`)

// form is that of a checkpoint: its text, which are origin, size and root, and lines of signatures, a name and base64.
var form = regexp.MustCompile(strings.NewReplacer("B{", "[A-Za-z0-9+/]{", "E=", "[AEIMQUYcgkosw048]=").Replace(
	`^(([^\x00-\x1f]+)\n([1-9][0-9]{0,17})\n(B{42}E=)\n)\n` +
		`((?:— [^+\pZ\x{85}\x00-\x1f]+ (?:B{4})+(?:B{4}|B{2}E=|B{5}[AQgw]==)\n){1,32})$`))
var memory = regexp.MustCompile(`^[1-9][0-9]{0,17}:[0-9a-f]{64}$`)

// keys are found in a trust by their form, which no name and no id has; strange fields are none of the format's.
var keys, strange = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), regexp.MustCompile(`"[^"\\]*[^a-z_"\\][^"\\]*":`)

type trust struct {
	Installation, Origin string
	Root                 struct {
		Threshold int
		Keys      []string
	}
	Checkpoints []string
	Witnesses   []struct{ Name, Key string }
}

// head is a checkpoint as it was found: what it says, and the lines of signatures below it; one from memory has no text.
type head struct {
	text, origin string
	size         uint64
	root         []byte
	signatures   []string
}

// log is what was verified so far; state is trust as it stands, whose digest records name, and trust a part of it.
type log struct {
	genesis, prev  string
	size           uint64
	peaks          [][]byte
	state          map[string]any
	trust          trust
	known, revoked map[string]bool
	anchored       bool
}

func hash(parts ...[]byte) []byte { sum := sha256.Sum256(bytes.Join(parts, nil)); return sum[:] }
func digest(data []byte) string   { return hex.EncodeToString(hash(data)) }
func keyID(key string) string     { return digest(decode(key)) }

func decode(text string) []byte {
	if data, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && !strings.ContainsAny(text, "\r\n") {
		return data
	}
	return nil
}

// fields reads some fields of a JSON object by their names as they are written; encoding/json takes SEQ for seq too.
func fields(data []byte, into map[string]any) error {
	var all map[string]json.RawMessage
	err := json.Unmarshal(data, &all)
	if !bytes.Equal(data, bytes.ToValidUTF8(data, nil)) || bytes.IndexByte(escapes.ReplaceAll(data, nil), '\\') >= 0 {
		return fmt.Errorf("it holds what is no text")
	}
	for name, to := range into {
		if raw, is := all[name]; is && err == nil {
			err = json.Unmarshal(raw, to)
		}
	}
	return err
}

// verify checks one Ed25519 signature by a public key in base64, unless the key was revoked.
func (l *log) verify(key string, message, signature []byte) bool {
	public := decode(key)
	return len(public) == ed25519.PublicKeySize && !l.revoked[keyID(key)] && ed25519.Verify(public, message, signature)
}

// take checks one record and grows the tree.
func (l *log) take(data []byte) error {
	var named, prev, event, op, policy string
	seq, at := int64(-1), int64(-1)
	if fields(data, map[string]any{"schema": &named, "seq": &seq, "prev_hash": &prev, "event": &event, "op": &op,
		"decided_at_ms": &at}) != nil || len(data) > maxBytes || named != schema || at < 0 || event == "" ||
		seq != int64(l.size) || prev != l.prev {
		return fmt.Errorf("it cannot be read, or does not follow the record before it")
	}
	l.prev = digest(data)
	if l.size == 0 {
		var laid, given json.RawMessage
		if l.prev != l.genesis || event != "genesis" || fields(data, map[string]any{"genesis": &laid}) != nil ||
			fields(laid, map[string]any{"trust": &given, "policy": &policy}) != nil || l.set(given) != nil {
			return fmt.Errorf("it is not the genesis that is pinned")
		}
		l.state["policy"] = digest([]byte(policy))
	} else if _, is := rootOps[op]; is && event == "effective" {
		if err := l.change(data, op, at); err != nil {
			return err
		}
	}
	l.peaks = append(l.peaks, hash([]byte{0}, data))
	for bits := l.size; bits&1 == 1; bits >>= 1 {
		last := len(l.peaks) - 1
		l.peaks = append(l.peaks[:last-1], hash([]byte{1}, l.peaks[last-1], l.peaks[last]))
	}
	l.size++
	return nil
}

// set takes a trust, in the form that is verified with and in the one whose digest records name.
func (l *log) set(given []byte) error {
	l.trust, l.state["trust"], l.known = trust{}, new(any), map[string]bool{}
	err := json.Unmarshal(given, l.state["trust"])
	whole, _ := json.Marshal(l.state["trust"])
	err = errors.Join(err, json.Unmarshal(strange.ReplaceAll(whole, []byte(`"":`)), &l.trust))
	for _, key := range keys.FindAllString(string(whole), -1) {
		if l.known[keyID(key)] = true; l.revoked[keyID(key)] {
			err = fmt.Errorf("a key that was revoked is back")
		}
	}
	return err
}

// change applies what only roots may do.
func (l *log) change(data []byte, op string, at int64) error {
	var named, envelope, after, policy, payload, kind, asked, audience, key, text string
	var signed []map[string]string
	var expected uint64
	var since *int64
	var given json.RawMessage
	enough := func() bool {
		held, good, body := map[string]bool{}, true, decode(payload)
		message := []byte(fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(body), body))
		for _, key := range l.trust.Root.Keys {
			for _, one := range signed {
				if id := keyID(key); one["keyid"] == id && !l.revoked[id] {
					held[id], good = true, good && l.verify(key, message, decode(one["sig"]))
				}
			}
		}
		return good && len(held) >= l.trust.Root.Threshold
	}
	before, version, err := l.trust, l.state["version"].(uint64), error(nil)
	if fields(data, map[string]any{"command": &named, "envelope": &envelope, "trust": &after, "policy": &policy}) != nil ||
		fields([]byte(envelope), map[string]any{"payload": &payload, "payloadType": &kind, "signatures": &signed}) != nil ||
		fields(decode(payload), map[string]any{"op": &asked, "audience": &audience, "expected_revision": &expected,
			"key": &key, "compromised_since_ms": &since, "policy": &text, "trust": &given}) != nil ||
		digest(decode(payload)) != named || asked != op || kind != commandType || audience != l.trust.Installation ||
		(op == "key-revoke" && (l.revoked[key] || !l.known[key])) ||
		(expected-version)*rootOps[op] != 0 || !enough() {
		return fmt.Errorf("too few roots signed its command, or it is for another log, version or key")
	}
	switch op {
	case "trust-set":
		err = l.set(given)
	case "key-revoke":
		l.revoked[key] = true
		l.state["revocations"] = append(l.state["revocations"].([]any), map[string]any{
			"key": key, "revoked_at_ms": at, "compromised_since_ms": since})
	case "policy-set":
		l.state["policy"] = digest([]byte(text))
	}
	l.state["version"] = version + rootOps[op]
	whole, _ := json.Marshal(l.state)
	if err != nil || l.trust.Installation != before.Installation || l.trust.Origin != before.Origin ||
		(fmt.Sprint(l.trust.Root) != fmt.Sprint(before.Root) && !enough()) ||
		digest(whole) != after || l.state["policy"] != policy {
		return fmt.Errorf("its command cannot take effect, or leads to another trust or policy than it names")
	}
	return nil
}

func (l *log) root() []byte {
	root := l.peaks[len(l.peaks)-1]
	for i := len(l.peaks) - 2; i >= 0; i-- {
		root = hash([]byte{1}, l.peaks[i], root)
	}
	return root
}

// signedBy tells whether a key signed a checkpoint: kind 1 is a log, kind 4 a witness.
func (l *log) signedBy(h *head, name, key string, kind byte) (held bool) {
	id := hash([]byte(name), []byte{'\n', kind}, decode(key))[:4]
	for _, line := range h.signatures {
		blob, is := bytes.CutPrefix(decode(strings.TrimPrefix(line, "— "+name+" ")), id)
		message := h.text
		if kind == 4 && len(blob) > 8 && blob[0] < 128 {
			message = fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(blob), h.text)
			blob = blob[8:]
		}
		held = held || (is && l.verify(key, []byte(message), blob))
	}
	return held
}

// compare holds the tree against checkpoints of its size that the log signed, or finds that records are missing.
func (l *log) compare(heads []*head) error {
	for _, h := range heads {
		signed := h.text == ""
		for _, key := range l.trust.Checkpoints {
			signed = signed || l.signedBy(h, l.trust.Origin, key, 1)
		}
		if signed && h.size > l.size {
			return fmt.Errorf("record %d is missing: a checkpoint says that there were %d", l.size, h.size)
		}
		if signed && (!bytes.Equal(h.root, l.root()) || (h.text != "" && h.origin != l.trust.Origin)) {
			return fmt.Errorf("record %d or one before it: a checkpoint has another root", l.size-1)
		}
		l.anchored = l.anchored || h.text == ""
		for _, w := range l.trust.Witnesses {
			l.anchored = l.anchored || (signed && l.signedBy(h, w.Name, w.Key, 4))
		}
	}
	return nil
}

// each gives every line of a file of the export; of one that is longer than any record or note, only its beginning.
func each(path string, give func([]byte) error) error {
	file, err := os.Open(path)
	reader, inside := bufio.NewReaderSize(file, maxBytes+2), false
	for line, more := []byte{}, error(nil); err == nil && (more == nil || inside); inside = more == bufio.ErrBufferFull {
		if line, more = reader.ReadSlice('\n'); more != nil && more != io.EOF && more != bufio.ErrBufferFull {
			err = more
		} else if !inside && len(line) > 0 {
			err = give(bytes.TrimSuffix(line, []byte{'\n'}))
		}
	}
	return err
}

func run(genesis, folder, remembered string) error {
	l := &log{genesis: genesis, prev: strings.Repeat("0", 64), revoked: map[string]bool{}}
	l.state = map[string]any{"revocations": []any{}, "version": uint64(1)}
	known := &head{}
	fmt.Sscanf(remembered, "%d:%x", &known.size, &known.root)
	heads := map[uint64][]*head{known.size: {known}}
	err := each(folder+"/checkpoints.ndjson", func(line []byte) error {
		var note string
		wrong := fields(bytes.Join([][]byte{[]byte(`{"note":`), line, {'}'}}, nil), map[string]any{"note": &note})
		found := form.FindStringSubmatch(note)
		if wrong == nil && json.Valid(line) && found != nil && len(note) <= 16384 && len(line) <= 98304 {
			h := &head{found[1], found[2], 0, decode(found[4]), strings.Split(found[5], "\n")}
			h.size, _ = strconv.ParseUint(found[3], 10, 63)
			heads[h.size] = append(heads[h.size], h)
		}
		return nil
	})
	if err == nil {
		err = each(folder+"/records.ndjson", func(line []byte) error {
			if err := l.take(line); err != nil {
				return fmt.Errorf("record %d: %w", l.size, err)
			}
			return l.compare(heads[l.size])
		})
	}
	for size, beyond := range heads {
		if err == nil && size > l.size {
			err = l.compare(beyond)
		}
	}
	if err == nil && !l.anchored {
		err = fmt.Errorf("%d records hold together, but no witness and no memory vouches for them", l.size)
	}
	return err
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 || (len(os.Args) == 4 && !memory.MatchString(os.Args[3])) {
		fmt.Fprintf(os.Stderr, "usage: verifier GENESIS FOLDER [SIZE:ROOTHEX], which %q is not\n", os.Args[1:])
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], strings.Join(os.Args[3:], "")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}
