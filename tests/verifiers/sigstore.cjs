// Sigstore's verification of a log entry's inclusion: its checkpoint's signature, then its proof.
// In: what to verify, as JSON in the environment. Out: for each, "accepted" or why it was refused.
const { crypto } = require("@sigstore/core");
const { verifyCheckpoint } = require("@sigstore/verify/dist/tlog/checkpoint");
const { verifyMerkleInclusion } = require("@sigstore/verify/dist/tlog/merkle");

const { origin, keyId, publicKey, entries } = JSON.parse(process.env.PARCYCLE_TO_VERIFY);

const log = {
  logID: Buffer.from(keyId, "base64"),
  publicKey: crypto.createPublicKey(publicKey),
  baseURL: `https://${origin}`,
};

const answers = entries.map(({ index, hashes, leaf, checkpoint }) => {
  const entry = {
    canonicalizedBody: Buffer.from(leaf, "base64"),
    inclusionProof: {
      logIndex: String(index),
      hashes: hashes.map((hash) => Buffer.from(hash, "base64")),
      checkpoint: { envelope: checkpoint },
    },
  };
  try {
    verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
    return "accepted";
  } catch (error) {
    if (error.code !== "TLOG_INCLUSION_PROOF_ERROR") throw error;
    return `${error.code}: ${error.message}`;
  }
});
console.log(JSON.stringify(answers));
