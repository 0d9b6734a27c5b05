// urql: a query, a mutation, and a subscription over server-sent events.
import { Client, fetchExchange } from "@urql/core";
import { documents, headers, http, tell } from "./setup.js";

const { query, mutation, subscription } = documents;
const client = new Client({
  url: http,
  exchanges: [fetchExchange],
  fetchOptions: { headers },
  fetchSubscriptions: true,
  preferGetMethod: false,
});
const asked = await client.query(query.document, query.variables).toPromise();
const byGet = await client
  .query(query.document, query.variables, { preferGetMethod: "force" })
  .toPromise();
const done = await client.mutation(mutation.document, mutation.variables).toPromise();
const heard = [];
let listening;
await new Promise((resolve, reject) => {
  listening = client
    .subscription(subscription.document, subscription.variables)
    .subscribe(({ data, error }) => {
      if (error) reject(error);
      else if (heard.push(data) === subscription.take) setTimeout(resolve);
    });
});
listening.unsubscribe(); // not in the callback: there urql takes its own abort for a failure
const failed = [asked, byGet, done].find((result) => result.error);
if (failed) throw failed.error;
tell({
  query: asked.data,
  byGet: byGet.data,
  mutation: done.data,
  subscription: heard.slice(0, subscription.take), // more may have come before it was left
});
