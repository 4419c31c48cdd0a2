package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// config is everything that an instance can be told. Each field can be set in the file (table.name) and by the
// environment (ANTIPHON_TABLE_NAME, and ANTIPHON_TABLE_NAME_FILE for the path of a file that holds the value).
type config struct {
	Server struct {
		BaseURL     string `toml:"base_url" default:"http://127.0.0.1:8080" doc:"The address that the world knows this instance by. It cannot change later: every id begins with it."`
		Listen      string `toml:"listen" default:"127.0.0.1:8080" doc:"Address and port to listen on; put a TLS proxy in front."`
		Name        string `toml:"name" default:"Antiphon" doc:"What the instance is called on its pages."`
		DataDir     string `toml:"data_dir" default:"data" doc:"Folder for database, keys, masters and blocks."`
		Development bool   `toml:"development" default:"false" doc:"Allow loopback peers over plain http. Refused with a public base_url."`
		LogLevel    string `toml:"log_level" default:"info" doc:"debug, info, warn or error."`
		TrustProxy  bool   `toml:"trust_proxy" default:"false" doc:"Take the visitor's address from X-Forwarded-For, as the proxy in front sets it."`
	} `toml:"server"`
	Database struct {
		URL string `toml:"url" default:"" secret:"true" doc:"postgres://... for PostgreSQL; empty for SQLite in the data folder."`
	} `toml:"database"`
	Keys struct {
		Master string `toml:"master" default:"" doc:"Path of the master key, which seals every secret at rest. Empty: keys/master.key in the data folder; better outside of it."`
	} `toml:"keys"`
	Signup struct {
		Open     bool `toml:"open" default:"false" doc:"Anyone may sign up. Otherwise an admin gives invitation links."`
		Approval bool `toml:"approval" default:"false" doc:"Who signs up without an invitation waits until an admin has said yes. Needs open."`
	} `toml:"signup"`
	Media struct {
		Engine    string        `toml:"engine" default:"auto" doc:"auto, native (FFmpeg on PATH) or embedded (slower, needs nothing installed)."`
		CacheDir  string        `toml:"cache_dir" default:"" doc:"Folder for the embedded engine's compiled code, about 100 MB. It is run, so only this user may write there. Empty: cache in the data folder."`
		MaxUpload int64         `toml:"max_upload" default:"2147483648" doc:"Largest upload, in bytes."`
		MaxLength time.Duration `toml:"max_length" default:"4h" doc:"Longest track."`
		Quota     int64         `toml:"quota" default:"21474836480" doc:"What one artist may upload in all, in bytes."`
		DiskLow   int64         `toml:"disk_low" default:"2147483648" doc:"Warn the admin, and take no uploads, when fewer bytes than this are free."`
	} `toml:"media"`
	IPFS struct {
		Kubo string `toml:"kubo" default:"" doc:"API address of a Kubo daemon, such as http://127.0.0.1:5001; empty for blocks in the data folder."`
	} `toml:"ipfs"`
	Raiden struct {
		URL        string `toml:"url" default:"" doc:"The Raiden node's REST API, such as http://127.0.0.1:5001; empty: nothing is sold through Raiden."`
		Credential string `toml:"credential" default:"" secret:"true" doc:"Bearer token, or user:password, for a proxy in front of the node."`
		Asset      string `toml:"asset" default:"" doc:"The token, as CAIP-19: eip155:42161/erc20:0x..., or antiphon-dev:1/erc20:0x... on the development network."`
		Symbol     string `toml:"symbol" default:"" doc:"What the token is called on pages, such as DAI."`
		Decimals   int    `toml:"decimals" default:"6" doc:"Decimals of the token's smallest unit."`
	} `toml:"raiden"`
	Payments struct {
		InvoiceLife time.Duration `toml:"invoice_life" default:"30m" doc:"How long a quoted price stands. What is paid later is honored all the same."`
		Currencies  []string      `toml:"currencies" default:"" doc:"Currencies such as EUR that artists are paid in by other means (cash, bank transfer) and mark as paid themselves."`
		ERC20       struct {
			RPC           string `toml:"rpc" default:"" secret:"true" doc:"JSON-RPC of an Ethereum node, such as http://127.0.0.1:8545; empty: nothing is sold for tokens on a chain. It may have a key in it."`
			Token         string `toml:"token" default:"" doc:"The token, as CAIP-19: eip155:42161/erc20:0x..."`
			Till          string `toml:"till" default:"" doc:"The till's contract; antiphon till prints the transaction that makes one. What is paid goes to its owner and to nobody else."`
			Symbol        string `toml:"symbol" default:"" doc:"What the token is called on pages, such as USDC."`
			Decimals      int    `toml:"decimals" default:"6" doc:"Decimals of the token's smallest unit."`
			Confirmations int    `toml:"confirmations" default:"12" doc:"How many blocks a payment must have before it counts, its own included."`
		} `toml:"erc20"`
	} `toml:"payments"`
	Ledger struct {
		Witnesses  []string `toml:"witnesses" default:"" doc:"Instances that sign for the ledger when it has grown, such as https://w.example; then nobody can rewrite it unnoticed, this instance's admin neither. Or any witness of c2sp.org/tlog-witness: its submission prefix, a space, and its key."`
		WitnessFor []string `toml:"witness_for" default:"*" doc:"Hosts whose ledgers this instance signs for; * for any that is not blocked, known for those that somebody here follows or bought from, empty for nobody. It costs a row for each."`
		Publish    bool     `toml:"publish" default:"false" doc:"Serve the records to everyone, so that others can keep a copy. Who knows an artist's address can read from them what the artist has sold."`
		Fabric     struct {
			Peer        string `toml:"peer" default:"" doc:"The gateway of the operator's peer of Hyperledger Fabric, as host:port; empty: the ledger is shared with nobody. docs/fabric.md tells how operators make a network."`
			PeerCA      string `toml:"peer_ca" default:"" doc:"Path of the certificate that the peer's TLS goes back to."`
			PeerName    string `toml:"peer_name" default:"" doc:"The name in the peer's certificate, when it is not the host of peer."`
			MSP         string `toml:"msp" default:"" doc:"The operator's organization, by its MSP id."`
			Cert        string `toml:"cert" default:"" doc:"Path of a client certificate of the organization."`
			Key         string `toml:"key" default:"" doc:"Path of its private key, PKCS #8 in PEM."`
			Channel     string `toml:"channel" default:"antiphon" doc:"The channel that the consortium made."`
			Chaincode   string `toml:"chaincode" default:"ledger" doc:"What the consortium called the contract."`
			Listen      string `toml:"listen" default:"" doc:"Address where the peer finds the contract, served by this program, such as 127.0.0.1:7052; empty: it is served elsewhere."`
			PackageID   string `toml:"package_id" default:"" doc:"What the peer called the installed package, ledger_1:... (peer lifecycle chaincode queryinstalled). Needed with listen."`
			ListenCert  string `toml:"listen_cert" default:"" doc:"Path of the contract's TLS certificate; needed when listen is not on loopback."`
			ListenKey   string `toml:"listen_key" default:"" doc:"Path of its private key."`
			ListenPeers string `toml:"listen_peers" default:"" doc:"Path of the certificate that the TLS certificates of the peers go back to which may dial listen."`
		} `toml:"fabric"`
	} `toml:"ledger"`
	Pool struct {
		Enabled   bool     `toml:"enabled" default:"false" doc:"A listening pool: members pay ten dollars a month, one for this instance and nine for the artists whom they hear. Holding other people's money can need a licence where you live: ask before."`
		Asset     string   `toml:"asset" default:"" doc:"The token that stands for dollars, one for one, as CAIP-19: raiden.asset or payments.erc20.token. It has at least six decimals."`
		Instances []string `toml:"instances" default:"" doc:"Hosts of the other instances of this pool: their members hear what artists here have put into it, and members here what artists there have."`
	} `toml:"pool"`
	Federation struct {
		AllowList   bool `toml:"allow_list" default:"false" doc:"Exchange only with hosts that an admin has allowed, and with nobody else."`
		InboxRate   int  `toml:"inbox_rate" default:"20" doc:"How many activities a second one site (registrable domain) may send for long; half a minute's worth may come at once."`
		SignedFetch bool `toml:"signed_fetch" default:"false" doc:"Serve actors, posts and tracks only to requests that another server has signed. Keeps out who is blocked; search engines of the fediverse and old servers may not read them then."`
	} `toml:"federation"`
	Grants struct {
		Proxies   []string `toml:"proxies" default:"" doc:"Instance actors that this instance trusts to re-encrypt for its artists, besides itself, the buyer's own, and those that an artist chooses."`
		Number    int      `toml:"number" default:"3" doc:"How many proxies hold a fragment of a new grant, where there are so many; 16 at most."`
		Threshold int      `toml:"threshold" default:"2" doc:"How many of them open it. One of several may always be gone, so with two proxies one opens."`
		Serve     []string `toml:"serve" default:"*" doc:"Hosts for whose artists this instance re-encrypts; * for any, known for those that somebody here follows or bought from, empty for nobody. What its own members buy it always re-encrypts."`
		PerArtist int64    `toml:"per_artist" default:"20000" doc:"How many fragments are held for one artist of another instance."`
		PerHost   int64    `toml:"per_host" default:"200000" doc:"How many fragments are held for all artists of one other instance."`
	} `toml:"grants"`
}

type field struct {
	table, name, env string
	doc, fallback    string
	secret           bool
	value            reflect.Value
}

// fields lists every field with its place and its names; those of a table in another one come after the outer one's.
func (c *config) fields() []field {
	var all []field
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		all = append(all, fieldsOf(root.Type().Field(i).Tag.Get("toml"), root.Field(i))...)
	}
	return all
}

func fieldsOf(table string, section reflect.Value) []field {
	var own, inner []field
	for j := range section.NumField() {
		f := section.Type().Field(j)
		name := f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct {
			inner = append(inner, fieldsOf(table+"."+name, section.Field(j))...)
			continue
		}
		own = append(own, field{
			table: table, name: name, env: "ANTIPHON_" + strings.ToUpper(strings.ReplaceAll(table, ".", "_")+"_"+name),
			doc: f.Tag.Get("doc"), fallback: f.Tag.Get("default"), secret: f.Tag.Get("secret") == "true", value: section.Field(j),
		})
	}
	return append(own, inner...)
}

func (f field) set(text string) error {
	switch v := f.value.Addr().Interface().(type) {
	case *string:
		*v = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s.%s: %q is neither true nor false", f.table, f.name, text)
		}
		*v = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s.%s: %q is not a number", f.table, f.name, text)
		}
		*v = n
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s.%s: %q is not a number", f.table, f.name, text)
		}
		*v = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s.%s: %q is not a duration such as 90m", f.table, f.name, text)
		}
		*v = d
	case *[]string:
		*v = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*v = append(*v, part)
			}
		}
	default:
		return fmt.Errorf("%s.%s: fields of type %T cannot be set", f.table, f.name, v)
	}
	return nil
}

// toml returns the field's value as TOML.
func (f field) toml() string {
	switch v := f.value.Interface().(type) {
	case string:
		return strconv.Quote(v)
	case time.Duration:
		return strconv.Quote(v.String())
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// defaultConfig is what holds when nothing is said; what follows from other fields is still empty.
func defaultConfig() (*config, error) {
	c := &config{}
	for _, f := range c.fields() {
		if f.fallback == "" {
			continue
		}
		if err := f.set(f.fallback); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// loadConfig reads defaults, then the file at path (which may be missing when optional), then the environment.
func loadConfig(path string, optional bool, environ func(string) (string, bool)) (*config, error) {
	c, err := defaultConfig()
	if err != nil {
		return nil, err
	}
	meta, err := toml.DecodeFile(path, c)
	switch {
	case errors.Is(err, os.ErrNotExist) && optional:
	case err != nil:
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("read configuration %s: there is no setting %q; `antiphon config --defaults` lists them", path, unknown[0])
	}
	for _, f := range c.fields() {
		text, ok := environ(f.env)
		if file, has := environ(f.env + "_FILE"); has && !ok {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read %s_FILE: %w", f.env, err)
			}
			text, ok = strings.TrimSpace(string(b)), true
		}
		if !ok {
			continue
		}
		if err := f.set(text); err != nil {
			return nil, err
		}
	}
	return c, c.check()
}

func (c *config) check() error {
	c.Server.BaseURL = strings.TrimRight(c.Server.BaseURL, "/")
	u, err := url.Parse(c.Server.BaseURL)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("server.base_url %q is not an address such as https://music.example", c.Server.BaseURL)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if c.Server.Development && !loopback {
		return fmt.Errorf("server.development is for loopback only, and server.base_url is %s", c.Server.BaseURL)
	}
	if u.Scheme == "http" && !loopback {
		return fmt.Errorf("server.base_url %s must begin with https://", c.Server.BaseURL)
	}
	if c.Payments.InvoiceLife < time.Second {
		return errors.New("payments.invoice_life is too short for anyone to pay in")
	}
	if n, t := c.Grants.Number, c.Grants.Threshold; n < 1 || n > 16 || t < 1 || t > max(1, n-1) {
		return fmt.Errorf("grants.threshold %d of grants.number %d: a grant has 1 to 16 proxies, and opens when one of several is gone", t, n)
	}
	if c.Grants.PerArtist < 1 || c.Grants.PerHost < 1 {
		return errors.New("grants.per_artist and grants.per_host are at least 1; with grants.serve empty nothing is held for others")
	}
	if f := c.Ledger.Fabric; f.Peer != "" && (f.PeerCA == "" || f.MSP == "" || f.Cert == "" || f.Key == "") {
		return errors.New("ledger.fabric.peer_ca, msp, cert and key are needed with ledger.fabric.peer")
	} else if (f.Listen == "") != (f.PackageID == "") {
		return errors.New("ledger.fabric.listen and ledger.fabric.package_id are needed together")
	}
	if c.Pool.Enabled && c.Pool.Asset == "" {
		return errors.New("pool.asset says which token stands for dollars; it is needed with pool.enabled")
	}
	for i, host := range c.Pool.Instances {
		if host = strings.ToLower(host); strings.ContainsAny(host, "/ @") {
			return fmt.Errorf("pool.instances: %q is not a host such as music.example", host)
		}
		c.Pool.Instances[i] = host
	}
	if c.Raiden.URL != "" && c.Raiden.Asset == "" {
		return errors.New("raiden.asset says which token is taken; it is needed with raiden.url")
	}
	if e := c.Payments.ERC20; e.RPC != "" {
		switch {
		case e.Token == "" || e.Till == "":
			return errors.New("payments.erc20.token and payments.erc20.till are needed with payments.erc20.rpc")
		case strings.EqualFold(e.Token, c.Raiden.Asset):
			return errors.New("payments.erc20.token is raiden.asset: a price in it could be paid in two ways, and only one can be watched")
		}
	}
	return nil
}

// masterKey is the path of the master key.
func (c *config) masterKey() string {
	if c.Keys.Master != "" {
		return c.Keys.Master
	}
	return filepath.Join(c.Server.DataDir, "keys", "master.key")
}

// cacheDir is where the embedded FFmpeg's compiled code lies.
func (c *config) cacheDir() string {
	if c.Media.CacheDir != "" {
		return c.Media.CacheDir
	}
	return filepath.Join(c.Server.DataDir, "cache")
}

// host is the host, with its port, that the instance's ids carry.
func (c *config) host() string {
	_, host, _ := strings.Cut(c.Server.BaseURL, "://")
	return host
}

// print writes the configuration as a file that can be read back; secrets are redacted.
func (c *config) print(w io.Writer) error {
	var b strings.Builder
	table := ""
	for _, f := range c.fields() {
		if f.table != table {
			table = f.table
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		value := f.toml()
		if f.secret && value != `""` {
			value = `"[redacted]"`
		}
		fmt.Fprintf(&b, "# %s\n# Environment: %s", f.doc, f.env)
		if f.secret {
			fmt.Fprintf(&b, " or %s_FILE", f.env)
		}
		fmt.Fprintf(&b, "\n%s = %s\n", f.name, value)
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}
