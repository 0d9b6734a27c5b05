// relay-runtime, with the artifacts that relay-compiler made of the same documents.
import { createRequire } from "node:module";
import relay from "relay-runtime";
import { documents, headers, http, tell } from "./setup.js";

const { commitMutation, Environment, fetchQuery, Network, RecordSource, Store } = relay;
const artifact = (name) =>
  createRequire(import.meta.url)(`./__generated__/${name}.graphql.js`);
const network = Network.create(async (operation, variables) => {
  const response = await fetch(http, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query: operation.text, variables }),
  });
  return response.json();
});
const environment = new Environment({ network, store: new Store(new RecordSource()) });

const { query, mutation } = documents;
const asked = await fetchQuery(environment, artifact(query.name), query.variables).toPromise();
const done = await new Promise((resolve, reject) =>
  commitMutation(environment, {
    mutation: artifact(mutation.name),
    variables: mutation.variables,
    onCompleted: resolve,
    onError: reject,
  }),
);
tell({ query: asked, mutation: done });
