// What a test may ask of the peer.
import { parseNodeInfo, verifyObject } from "@fedify/fedify";
import * as vocab from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";

const { Announce, Block, Create, Delete, Flag, Follow, Like, Move, Note, PUBLIC_COLLECTION, Tombstone, Undo, Update } = vocab;

// makeCommands are functions of one JSON value, answered with another.
export function makeCommands(peer) {
  const { origin, federation } = peer;
  const context = () => federation.createContext(new URL(origin));
  const uri = (kind) => new URL(`/${kind}/${crypto.randomUUID()}`, origin);
  const sent = new Map();

  // The recipient is the actor `to` as its own server describes it; the followers when there is none.
  async function send(name, activity, to) {
    const ctx = context();
    sent.set(activity.id.href, activity);
    const documentLoader = await ctx.getDocumentLoader({ identifier: name });
    const recipients = to ? [await ctx.lookupObject(to, { documentLoader })] : peer.followersOf(name);
    if (recipients.some((one) => one == null)) throw new Error(`${to} is not found`);
    await ctx.sendActivity({ identifier: name }, recipients, activity, { immediate: true });
    return { id: activity.id.href, object: activity.objectId?.href };
  }

  function note({ name, id, content, inReplyTo, mention, published, edited }) {
    const ctx = context();
    return new Note({
      id: new URL(`/notes/${id}`, origin),
      attribution: ctx.getActorUri(name),
      content: `<p>${content}</p>`,
      to: PUBLIC_COLLECTION,
      cc: ctx.getFollowersUri(name),
      tags: mention ? [new vocab.Mention({ href: new URL(mention), name: "@artist" })] : [],
      replyTarget: inReplyTo ? new URL(inReplyTo) : null,
      published,
      updated: edited ? Temporal.Now.instant() : null,
    });
  }

  const commands = {
    received: () => ({ received: peer.received, reads: peer.reads, failures: peer.failures }),
    followers: ({ name }) => peer.followersOf(name).map((one) => one.id.href),
    follow: ({ name, target }) => send(name, new Follow({ id: uri("follows"), actor: context().getActorUri(name), object: new URL(target), to: new URL(target) }), target),
    // With named, the activity only names the note, so that it has to be fetched.
    post: async ({ name, content, inReplyTo, mention, to, named }) => {
      const one = note({ name, id: crypto.randomUUID(), content, inReplyTo, mention, published: Temporal.Now.instant() });
      peer.notes.set(one.id.pathname.split("/").at(-1), one);
      return await send(name, new Create({
        id: new URL(`${one.id.href}/create`), actor: one.attributionId, object: named ? one.id : one, to: PUBLIC_COLLECTION, ccs: [...one.ccIds],
      }), to);
    },
    edit: async ({ name, id, content, inReplyTo, mention, to }) => {
      const before = peer.notes.get(id.split("/").at(-1));
      const one = note({ name, id: id.split("/").at(-1), content, inReplyTo, mention, published: before.published, edited: true });
      peer.notes.set(id.split("/").at(-1), one);
      return await send(name, new Update({
        id: uri("updates"), actor: one.attributionId, object: one, to: PUBLIC_COLLECTION, ccs: [...one.ccIds],
      }), to);
    },
    remove: ({ name, id, to }) => {
      peer.notes.delete(id.split("/").at(-1));
      return send(name, new Delete({
        id: uri("deletes"), actor: context().getActorUri(name), object: new Tombstone({ id: new URL(id) }), to: PUBLIC_COLLECTION,
      }), to);
    },
    react: ({ name, verb, object, to }) => {
      const kind = { Like, Announce, Block, Move, Flag }[verb];
      const cc = context().getFollowersUri(name);
      return send(name, new kind({
        id: uri("reactions"), actor: context().getActorUri(name), object: new URL(object),
        ...(verb === "Announce" ? { to: PUBLIC_COLLECTION, cc } : { to: new URL(to) }),
        ...(verb === "Move" ? { target: context().getActorUri("other") } : {}),
        ...(verb === "Flag" ? { content: "Is this music?" } : {}),
      }), to);
    },
    undo: ({ name, id, to }) => send(name, new Undo({ id: uri("undos"), actor: context().getActorUri(name), object: sent.get(id), to: new URL(to) }), to),
    // read fetches a document, as Fedify does, with a signature or without, and tells what Fedify takes it for.
    read: async ({ name, id }) => {
      const ctx = context();
      const documentLoader = name ? await ctx.getDocumentLoader({ identifier: name }) : ctx.documentLoader;
      const { document } = await documentLoader(id);
      const object = await vocab.Object.fromJsonLd(document, { documentLoader, contextLoader: ctx.contextLoader });
      const keys = [];
      if (object.getAssertionMethods) for await (const key of object.getAssertionMethods({ documentLoader })) keys.push(key.id.href);
      return { kind: object.constructor.name, id: object.id?.href, name: object.name?.toString(), key: object.publicKeyId?.href, keys, document };
    },
    // prove has Fedify check the proofs of a document.
    prove: async ({ document }) => {
      const ctx = context();
      const options = { documentLoader: ctx.documentLoader, contextLoader: ctx.contextLoader };
      const object = await verifyObject(vocab.Object, document, options);
      return { proven: object != null, kind: object?.constructor?.name ?? null };
    },
    find: async ({ resource }) => await context().lookupWebFinger(resource),
    // Fedify itself reads NodeInfo from public addresses alone, whatever it was told; so it is handed to its strict parser.
    nodeinfo: async ({ base }) => {
      const json = async (url) => await (await fetch(url, { headers: { Accept: "application/json" } })).json();
      const { links } = await json(new URL("/.well-known/nodeinfo", base));
      const link = links.find((one) => one.rel.startsWith("http://nodeinfo.diaspora.software/ns/schema/2."));
      return parseNodeInfo(await json(link.href));
    },
  };
  return commands;
}
