// Apollo Client: a query, the same by automatic persisted query, a mutation, and a subscription.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { documents, headers, http, tell, ws } from "./setup.js";

const { query, mutation, subscription } = documents;
const sent = [];
const recorded = async (url, options) => {
  const response = await fetch(url, options);
  const { query, extensions } = JSON.parse(options.body);
  sent.push({ query: query !== undefined, hash: extensions?.persistedQuery !== undefined });
  return response;
};
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const clientWith = (link) =>
  new ApolloClient({
    link,
    cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: "no-cache" } },
  });

// first, while the service has not seen the document
const persisted = clientWith(
  ApolloLink.from([
    new PersistedQueryLink({ sha256 }),
    new HttpLink({ uri: http, headers, fetch: recorded }),
  ]),
);
const first = await persisted.query({ query: gql(query.document), variables: query.variables });
const again = await persisted.query({ query: gql(query.document), variables: query.variables });

const plain = clientWith(new HttpLink({ uri: http, headers }));
const asked = await plain.query({ query: gql(query.document), variables: query.variables });
const done = await plain.mutate({ mutation: gql(mutation.document), variables: mutation.variables });

const socket = createClient({ url: ws, webSocketImpl: WebSocket, connectionParams: headers });
const live = clientWith(new GraphQLWsLink(socket));
const heard = [];
await new Promise((resolve, reject) => {
  const listening = live
    .subscribe({ query: gql(subscription.document), variables: subscription.variables })
    .subscribe({
      next: ({ data }) => {
        if (heard.push(data) < subscription.take) return;
        listening.unsubscribe();
        resolve();
      },
      error: reject,
    });
});
await socket.dispose();
tell({
  query: asked.data,
  mutation: done.data,
  persisted: [first.data, again.data],
  sent,
  subscription: heard,
});
