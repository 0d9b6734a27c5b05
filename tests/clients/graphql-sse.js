// graphql-sse: a subscription and a query as server-sent events, over POST.
import { createClient } from "graphql-sse";
import { documents, headers, http, tell } from "./setup.js";

const client = createClient({ url: http, headers });
const results = async ({ document, variables, take }) => {
  const heard = [];
  for await (const { data, errors } of client.iterate({ query: document, variables })) {
    if (heard.push(errors ?? data) === take) break;
  }
  return heard;
};
tell({
  subscription: await results(documents.subscription),
  query: await results(documents.query),
  wrong: await results({ document: "{ nothingOfThisName }" }),
});
client.dispose();
