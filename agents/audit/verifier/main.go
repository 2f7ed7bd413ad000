// Command verifier verifies an export of driftline's audit: chain, tree, checkpoints, witnesses and changes of trust. It
// was written against agents/audit/FORMAT.md, shares no code with driftline and needs nothing but Go. It prints one line
// and ends with 0 when all holds, with 1 when it does not, naming the record, and with 2 when it is called wrongly.
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
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const schema, commandType, maxBytes = "driftline.audit.v1", "application/vnd.driftline.command.v1+json", 1000000

// rootOps are the commands that only roots may sign, and by how much the version of trust grows with each.
var rootOps = map[string]uint64{"trust-set": 1, "key-revoke": 1, "policy-set": 1, "log-reset": 0}

// record holds the fields that a verifier needs; others are covered by the hash alone.
type record struct {
	Schema, Prev, Event, Op, Command, Envelope string
	Seq, At                                    *uint64
	Genesis                                    *struct{ Trust trust }
}

type trust struct {
	Installation, Origin string
	Root                 struct {
		Threshold int
		Keys      []string
	}
	Checkpoints []string
	Witnesses   []struct{ Name, Key string }
}

// head is a checkpoint as it was found: what it says, and the lines of signatures below it.
type head struct {
	text, origin string
	size         uint64
	root         []byte
	signatures   []string
	remembered   bool
}

// log is what was verified so far; version counts changes of trust.
type log struct {
	genesis, prev string
	size, version uint64
	peaks         [][]byte
	trust         trust
	revoked       map[string]bool
	anchored      bool
}

func hash(parts ...[]byte) []byte { sum := sha256.Sum256(bytes.Join(parts, nil)); return sum[:] }

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
	for name, to := range into {
		if raw, is := all[name]; is && err == nil {
			err = json.Unmarshal(raw, to)
		}
	}
	return err
}

// keyID names a public key in base64.
func keyID(key string) string { return hex.EncodeToString(hash(decode(key))) }

// verify checks one Ed25519 signature by a public key in base64, unless the key was revoked.
func (l *log) verify(key string, message, signature []byte) bool {
	public := decode(key)
	return len(public) == ed25519.PublicKeySize && !l.revoked[keyID(key)] &&
		len(signature) == ed25519.SignatureSize && ed25519.Verify(public, message, signature)
}

// take checks one record and grows the tree.
func (l *log) take(data []byte) error {
	var r record
	if len(data) > maxBytes || !bytes.Equal(data, bytes.ToValidUTF8(data, nil)) || fields(data, map[string]any{
		"schema": &r.Schema, "seq": &r.Seq, "prev_hash": &r.Prev, "event": &r.Event, "op": &r.Op, "command": &r.Command,
		"envelope": &r.Envelope, "genesis": &r.Genesis, "decided_at_ms": &r.At,
	}) != nil || r.Schema != schema || r.Seq == nil || r.At == nil || r.Event == "" {
		return fmt.Errorf("it cannot be read")
	}
	if *r.Seq != l.size || r.Prev != l.prev {
		return fmt.Errorf("it calls itself record %d, or does not name the record before it", *r.Seq)
	}
	l.prev = hex.EncodeToString(hash(data))
	if l.size == 0 {
		if l.prev != l.genesis || r.Event != "genesis" || r.Genesis == nil {
			return fmt.Errorf("it is not the genesis that is pinned")
		}
		l.trust, l.version = r.Genesis.Trust, 1
	} else if _, is := rootOps[r.Op]; is && r.Event == "effective" {
		if err := l.change(&r); err != nil {
			return err
		}
	}
	leaf, bits := hash([]byte{0}, data), l.size
	for ; bits&1 == 1; bits >>= 1 {
		leaf = hash([]byte{1}, l.peaks[len(l.peaks)-1], leaf)
		l.peaks = l.peaks[:len(l.peaks)-1]
	}
	l.peaks = append(l.peaks, leaf)
	l.size++
	return nil
}

// change applies what only roots may do.
func (l *log) change(r *record) error {
	payload, kind, signatures := "", "", []map[string]string{}
	var command struct {
		Op, Key, Audience string
		Expected          uint64 `json:"expected_revision"`
		Trust             *trust
	}
	err := fields([]byte(r.Envelope), map[string]any{"payload": &payload, "payloadType": &kind, "signatures": &signatures})
	body := decode(payload)
	if err != nil || hex.EncodeToString(hash(body)) != r.Command || json.Unmarshal(body, &command) != nil || command.Op != r.Op ||
		kind != commandType || command.Audience != l.trust.Installation || command.Expected != l.version*rootOps[r.Op] {
		return fmt.Errorf("its envelope holds another command, or one for elsewhere or another version of trust")
	}
	signed := []byte(fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(body), body))
	count := func(keys []string) (n int) {
		for _, key := range keys {
			for _, s := range signatures {
				if s["keyid"] == keyID(key) && l.verify(key, signed, decode(s["sig"])) {
					n++
				}
			}
		}
		return n
	}
	if count(l.trust.Root.Keys) < l.trust.Root.Threshold {
		return fmt.Errorf("too few roots signed its command")
	}
	l.version += rootOps[r.Op]
	l.revoked[command.Key] = l.revoked[command.Key] || command.Op == "key-revoke"
	if after := command.Trust; command.Op == "trust-set" {
		if after == nil || after.Origin != l.trust.Origin || after.Installation != l.trust.Installation ||
			(fmt.Sprint(after.Root) != fmt.Sprint(l.trust.Root) && count(after.Root.Keys) < after.Root.Threshold) {
			return fmt.Errorf("its trust cannot have taken effect")
		}
		l.trust = *after
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
		blob := decode(strings.TrimPrefix(line, "— "+name+" "))
		if !strings.HasPrefix(line, "— "+name+" ") || !bytes.HasPrefix(blob, id) {
			continue
		}
		message := h.text
		if blob = blob[4:]; kind == 4 && len(blob) > 8 {
			message = fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(blob), h.text)
			blob = blob[8:]
		}
		held = held || l.verify(key, []byte(message), blob)
	}
	return held
}

// believe tells whether the log signed a checkpoint, and whether a witness did too; a remembered one needs neither.
func (l *log) believe(h *head) (signed, anchored bool) {
	for _, key := range l.trust.Checkpoints {
		signed = signed || l.signedBy(h, l.trust.Origin, key, 1)
	}
	for _, w := range l.trust.Witnesses {
		anchored = anchored || (signed && l.signedBy(h, w.Name, w.Key, 4))
	}
	return signed || h.remembered, anchored || h.remembered
}

// compare holds the tree against checkpoints of its size, or finds that records are missing.
func (l *log) compare(heads []*head) error {
	for _, h := range heads {
		signed, anchored := l.believe(h)
		if signed && h.size > l.size {
			return fmt.Errorf("record %d is missing: a checkpoint says that there were %d", l.size, h.size)
		}
		if signed && (!bytes.Equal(h.root, l.root()) || (!h.remembered && h.origin != l.trust.Origin)) {
			return fmt.Errorf("record %d or one before it: a checkpoint has another root", l.size-1)
		}
		l.anchored = l.anchored || anchored
	}
	return nil
}

// parse reads a checkpoint; nil for what is none.
func parse(note string) *head {
	cut := strings.LastIndex(note, "\n\n") + 1
	lines := strings.Split(note[:cut], "\n")
	if len(lines) != 4 || !strings.HasSuffix(note, "\n") {
		return nil
	}
	size, _ := strconv.ParseUint(lines[1], 10, 63)
	root := decode(lines[2])
	if size == 0 || strconv.FormatUint(size, 10) != lines[1] || len(root) != sha256.Size {
		return nil
	}
	return &head{note[:cut], lines[0], size, root, strings.Split(note[cut+1:], "\n"), false}
}

// each gives every line of a file of the export; one that is longer than any record or note is an error.
func each(path string, give func([]byte) error) error {
	file, err := os.Open(path)
	for reader := bufio.NewReaderSize(file, maxBytes+2); err == nil; {
		var line []byte
		if line, err = reader.ReadSlice('\n'); len(line) > 0 && (err == nil || err == io.EOF) {
			if wrong := give(bytes.TrimSuffix(line, []byte{'\n'})); wrong != nil {
				return wrong
			}
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func run(genesis, folder, remembered string) error {
	l := &log{genesis: genesis, prev: strings.Repeat("0", 64), revoked: map[string]bool{}}
	heads := map[uint64][]*head{}
	err := each(folder+"/checkpoints.ndjson", func(line []byte) error {
		var note string
		if json.Unmarshal(line, &note) == nil {
			if h := parse(note); h != nil {
				heads[h.size] = append(heads[h.size], h)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if size, root, ok := strings.Cut(remembered, ":"); ok {
		h := &head{remembered: true}
		h.size, _ = strconv.ParseUint(size, 10, 63)
		h.root, _ = hex.DecodeString(root)
		heads[h.size] = append(heads[h.size], h)
	}
	err = each(folder+"/records.ndjson", func(line []byte) error {
		if err := l.take(line); err != nil {
			return fmt.Errorf("record %d: %w", l.size, err)
		}
		return l.compare(heads[l.size])
	})
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
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: verifier GENESIS FOLDER [SIZE:ROOTHEX]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], strings.Join(os.Args[3:], "")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}
