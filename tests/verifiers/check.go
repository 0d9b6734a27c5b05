// Go's checksum database client (golang.org/x/mod/sumdb), asked about our checkpoints, proofs and
// tiles. In: an array of questions, as JSON. Out: for each its answer, or "refused: " and why.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Kind    string
	Note    []byte
	Keys    []string // verifier keys
	Size    int64
	Root    []byte
	Index   int64
	Leaf    []byte
	Hashes  [][]byte
	OldSize int64
	OldRoot []byte
	Tiles   map[string][]byte // by tlog-tiles path
}

// cosignature is the kind of key that sumdb does not know: C2SP tlog-cosignature, Ed25519.
type cosignature struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosignature) Name() string    { return c.name }
func (c cosignature) KeyHash() uint32 { return c.hash }
func (c cosignature) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(c.key, []byte(signed), signature[8:])
}

func verifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	material, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || material[0] != 4 {
		return note.NewVerifier(vkey)
	}
	id, err := hex.DecodeString(parts[1])
	return cosignature{parts[0], binary.BigEndian.Uint32(id), material[1:]}, err
}

func hashes(given [][]byte) (all []tlog.Hash) {
	for _, each := range given {
		all = append(all, hash(each))
	}
	return all
}

func hash(given []byte) (one tlog.Hash) {
	if len(given) != tlog.HashSize {
		panic("not a hash")
	}
	copy(one[:], given)
	return one
}

// tiles are ours, by path; sumdb's paths name the height besides.
type tiles map[string][]byte

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(asked []tlog.Tile) (all [][]byte, err error) {
	for _, tile := range asked {
		path := ours(tile)
		data, ok := t[path]
		if !ok {
			return nil, fmt.Errorf("no tile %s", path)
		}
		all = append(all, data)
	}
	return all, nil
}

func ours(tile tlog.Tile) string { return strings.Replace(tile.Path(), "tile/8/", "tile/", 1) }

func answer(q question) (any, error) {
	switch q.Kind {
	case "note": // which keys signed it
		var known []note.Verifier
		for _, vkey := range q.Keys {
			v, err := verifier(vkey)
			if err != nil {
				return nil, err
			}
			known = append(known, v)
		}
		opened, err := note.Open(q.Note, note.VerifierList(known...))
		if err != nil {
			return nil, err
		}
		names := []string{}
		for _, each := range opened.Sigs {
			names = append(names, each.Name)
		}
		return map[string]any{"text": opened.Text, "names": names}, nil
	case "inclusion":
		leaf := tlog.RecordHash(q.Leaf)
		return "accepted", tlog.CheckRecord(hashes(q.Hashes), q.Size, hash(q.Root), q.Index, leaf)
	case "consistency":
		old := hash(q.OldRoot)
		return "accepted", tlog.CheckTree(hashes(q.Hashes), q.Size, hash(q.Root), q.OldSize, old)
	case "tiles": // the proofs that it makes of our tiles
		tree := tlog.Tree{N: q.Size, Hash: hash(q.Root)}
		reader := tlog.TileHashReader(tree, tiles(q.Tiles))
		included, err := tlog.ProveRecord(q.Size, q.Index, reader)
		if err != nil {
			return nil, err
		}
		consistent, err := tlog.ProveTree(q.Size, q.OldSize, reader)
		if err != nil {
			return nil, err
		}
		// Its reader (0.7.0) checks only some of the tiles against the root, so the proofs are checked.
		leaf := tlog.RecordHash(q.Leaf)
		if err := tlog.CheckRecord(included, q.Size, tree.Hash, q.Index, leaf); err != nil {
			return nil, err
		}
		err = tlog.CheckTree(consistent, q.Size, tree.Hash, q.OldSize, hash(q.OldRoot))
		return map[string]any{"inclusion": included, "consistency": consistent}, err
	case "paths": // of the tiles that are new from one size to another
		paths := []string{}
		for _, tile := range tlog.NewTiles(8, q.OldSize, q.Size) {
			paths = append(paths, ours(tile))
		}
		return paths, nil
	}
	panic("no question of kind " + q.Kind)
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	answers := []any{}
	for _, q := range questions {
		found, err := answer(q)
		if err != nil {
			found = "refused: " + err.Error()
		}
		answers = append(answers, found)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
