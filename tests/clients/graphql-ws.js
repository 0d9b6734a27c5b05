// graphql-ws: a subscription, a query over the same socket, and what is said to a stranger.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { documents, headers, tell, ws } from "./setup.js";

const { query, subscription } = documents;
const results = async (client, { document, variables, take }) => {
  const heard = [];
  for await (const { data, errors } of client.iterate({ query: document, variables })) {
    if (heard.push(errors ?? data) === take) break;
  }
  return heard;
};

const known = createClient({ url: ws, webSocketImpl: WebSocket, connectionParams: headers });
const [heard, asked] = await Promise.all([results(known, subscription), results(known, query)]);
await known.dispose();

const stranger = createClient({ url: ws, webSocketImpl: WebSocket, retryAttempts: 0 });
const closed = await results(stranger, query).catch(({ code, reason }) => ({ code, reason }));
tell({ subscription: heard, query: asked, stranger: closed });
