// A server of the fediverse made with Fedify: two people and what they post, all of it in memory. Nothing here knows
// Antiphon; main.mjs lets a test steer it.
import { createFederation, generateCryptoKeyPair, MemoryKvStore } from "@fedify/fedify";
import { Accept, Activity, Endpoints, Follow, Image, Note, Person, PUBLIC_COLLECTION, Undo } from "@fedify/vocab";

export const people = ["fan", "other"];

// makePeer is a federation under origin. firstKnock is the kind of signature that it tries first; with authorize it
// shows its notes only to requests whose signature it could check.
export function makePeer({ origin, firstKnock, authorize }) {
  const peer = { origin, received: [], reads: [], notes: new Map(), followers: new Map(), failures: [] };
  const keys = new Map();
  const federation = createFederation({ kv: new MemoryKvStore(), origin, firstKnock, allowPrivateAddress: true });
  peer.federation = federation;

  federation
    .setActorDispatcher("/users/{identifier}", async (context, name) => {
      if (!people.includes(name)) return null;
      const pairs = await context.getActorKeyPairs(name);
      return new Person({
        id: context.getActorUri(name),
        preferredUsername: name,
        name: `The ${name}`,
        summary: "<p>Listens.</p>",
        url: new URL(`/@${name}`, origin),
        inbox: context.getInboxUri(name),
        outbox: context.getOutboxUri(name),
        followers: context.getFollowersUri(name),
        endpoints: new Endpoints({ sharedInbox: context.getInboxUri() }),
        icon: new Image({ url: new URL("/icon.png", origin), mediaType: "image/png" }),
        publicKey: pairs[0].cryptographicKey,
        assertionMethods: pairs.map((pair) => pair.multikey),
      });
    })
    .setKeyPairsDispatcher(async (_, name) => {
      if (!people.includes(name)) return [];
      if (!keys.has(name)) {
        keys.set(name, Promise.all([generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), generateCryptoKeyPair("Ed25519")]));
      }
      return await keys.get(name);
    });

  federation.setOutboxDispatcher("/users/{identifier}/outbox", (_, name) => (people.includes(name) ? { items: [] } : null));
  federation.setFollowersDispatcher("/users/{identifier}/followers", (_, name) => ({ items: peer.followersOf(name) }));
  peer.followersOf = (name) => [...(peer.followers.get(name)?.values() ?? [])];

  federation
    .setObjectDispatcher(Note, "/notes/{id}", (_, { id }) => peer.notes.get(id) ?? null)
    .authorize(async (context, { id }) => {
      const owner = await context.getSignedKeyOwner();
      peer.reads.push({ id, by: owner?.id?.href ?? null });
      return !authorize || owner != null;
    });

  federation.setNodeInfoDispatcher("/nodeinfo/2.1", () => ({
    software: { name: "fedify-peer", version: "1.0.0" },
    protocols: ["activitypub"],
    usage: { users: { total: people.length }, localPosts: peer.notes.size, localComments: 0 },
  }));

  // What comes in has passed Fedify's own check of its signature.
  federation
    .setInboxListeners("/users/{identifier}/inbox", "/inbox")
    .setSharedKeyDispatcher(() => ({ identifier: "fan" }))
    .on(Follow, async (context, follow) => {
      await peer.keep(context, follow);
      const name = context.parseUri(follow.objectId)?.identifier;
      const follower = await follow.getActor(context);
      if (name == null || follower == null) return;
      if (!peer.followers.has(name)) peer.followers.set(name, new Map());
      peer.followers.get(name).set(follower.id.href, { id: follower.id, inboxId: follower.inboxId, endpoints: follower.endpoints });
      await context.sendActivity({ identifier: name }, follower, new Accept({
        id: new URL(`/accepts/${crypto.randomUUID()}`, origin), actor: follow.objectId, object: follow, to: follower.id,
      }));
    })
    .on(Undo, async (context, undo) => {
      await peer.keep(context, undo);
      const object = await undo.getObject(context);
      if (object instanceof Follow) peer.followers.get(context.parseUri(object.objectId)?.identifier)?.delete(undo.actorId?.href);
    })
    .on(Activity, (context, activity) => peer.keep(context, activity))
    .onError((_, error) => void peer.failures.push(String(error?.stack ?? error)));

  peer.keep = async (context, activity) => {
    const object = await activity.getObject(context).catch((error) => ({ failure: String(error) }));
    const attachments = [];
    if (object?.getAttachments) {
      for await (const one of object.getAttachments(context)) {
        attachments.push({ kind: one.constructor.name, mediaType: one.mediaType, url: one.url?.href, name: one.name?.toString() });
      }
    }
    peer.received.push({
      kind: activity.constructor.name,
      id: activity.id?.href,
      actor: activity.actorId?.href,
      object: activity.objectId?.href ?? object?.id?.href,
      objectKind: object?.failure ?? object?.constructor?.name,
      content: object?.content?.toString(),
      to: activity.toIds.map((one) => one.href),
      public: activity.toIds.some((one) => one.href === PUBLIC_COLLECTION.href),
      mailbox: context.recipient,
      attachments,
    });
  };
  return peer;
}
