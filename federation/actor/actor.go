package actor

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"antiphon/vocab"
)

var (
	// ErrNotFound is returned for an actor that does not exist, or that cannot be had from its server.
	ErrNotFound = errors.New("no such actor")
	// ErrGone is returned for an actor whose server says that it was deleted. It is also an ErrNotFound.
	ErrGone = gone{}
	// ErrTaken is returned when a name is in use here already.
	ErrTaken = errors.New("name is taken")
	// ErrName is returned for a name that cannot be an actor's.
	ErrName = errors.New("name is not 1 to 30 of a-z, 0-9 and _")
)

type gone struct{}

func (gone) Error() string        { return "actor is gone" }
func (gone) Is(target error) bool { return target == ErrNotFound }

// The kinds of local actors. A remote actor's kind is its ActivityStreams type, such as "Person".
const (
	Artist   = "artist"
	Listener = "listener"
	Instance = "instance"
)

// Actor is somebody, here or elsewhere. Multikeys are kept as text; an absent key is the empty string.
type Actor struct {
	URI   string
	Local bool
	// Name is the part of the handle before the host; Host has its port, where there is one.
	Name, Host string
	// Kind is Artist, Listener, Instance, or the type of a remote actor.
	Kind    string
	Display string
	// Summary is HTML; a remote one is not sanitized.
	Summary string
	// URL is the profile page; Icon the picture's URL.
	URL, Icon string
	Inbox     string
	// SharedInbox is empty when the server has none.
	SharedInbox string
	// Followers is the collection that the actor addresses followers by.
	Followers string
	// Music says that the actor's document has terms that only music servers have.
	Music bool
	// ReceivingKey and RequestingKey are a listener's current keys.
	ReceivingKey, RequestingKey string
	// KeyNumber is the number of that pair of keys, counted from 1.
	KeyNumber int
	// VerifyingKey is an artist's Umbral verifying key.
	VerifyingKey string
	// SealingKey and Reencrypt are a proxy's: the key that fragments are sealed to, and where it re-encrypts.
	SealingKey *vocab.SealingKey
	Reencrypt  string
	// KeyLinks are signed objects that tie the listener's keys to those before; see vocab.ReadKeyLink.
	KeyLinks []json.RawMessage
	// MovedTo is where the actor says it has moved; AlsoKnownAs are other accounts that it says are its own.
	MovedTo     string
	AlsoKnownAs []string
	// HTTPKeyID names the key that signs the actor's requests; HTTPKeyPEM is its public half.
	HTTPKeyID, HTTPKeyPEM string
	// ProofKeys are the keys of assertionMethod, by their id.
	ProofKeys map[string]ed25519.PublicKey
	// Raw is a remote actor's document as it was received; nil for a local one.
	Raw json.RawMessage
}

// Handle is name@host.
func (a Actor) Handle() string { return a.Name + "@" + a.Host }

// SendTo is the inbox for a message that also others on the same server may get, or for nobody else with private.
func (a Actor) SendTo(private bool) string {
	if private || a.SharedInbox == "" {
		return a.Inbox
	}
	return a.SharedInbox
}

// HostOf is the lower-case host, with its port, of a URI; empty when it has none.
func HostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// row is what the table holds of one actor.
type row struct {
	URI           string `gorm:"primaryKey"`
	Local         bool
	Name          string
	Host          string
	Kind          string
	Display       string
	Summary       string
	URL           string
	Icon          string
	Inbox         string
	SharedInbox   string
	Music         bool
	ReceivingKey  string
	RequestingKey string
	KeyNumber     int64
	// Raw is a remote actor's document, or the newest key link of a local one, which key_links has with those before.
	Raw       []byte
	FetchedAt *time.Time
	CreatedAt time.Time
	// State, MovedTo and AlsoKnownAs (a URI on each line) are a local actor's; a remote one has them in its document.
	State       string
	MovedTo     string
	AlsoKnownAs string
}

// TableName is gorm's name for the table.
func (row) TableName() string { return "actors" }

// keyRow is one key pair of a local actor.
type keyRow struct {
	ID        string `gorm:"primaryKey"`
	Actor     string
	Purpose   string
	Number    int64
	Sealed    []byte
	Public    string
	Version   int64
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (keyRow) TableName() string { return "actor_keys" }
