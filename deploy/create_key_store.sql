-- Once for the key store, with psql as an administrator of its PostgreSQL server (15 to 18):
--   KEYS_PASSWORD=... psql -X -v ON_ERROR_STOP=1 -f deploy/create_key_store.sql postgres
-- Then PARCYCLE_KEY_STORE_URL=postgresql://parcycle_keys@HOST/parcycle_keys names it, and `parcycle keys rotate` makes the keyring.
-- Best on another server than the record: then no backup holds both what is sealed and its keys. On the same one, back up each
-- database by itself (pg_dump), with the keys' backups elsewhere, and archive no write-ahead log: it would keep destroyed keys.
\set ON_ERROR_STOP on
\getenv keys_password KEYS_PASSWORD
create role parcycle_keys login password :'keys_password';
create database parcycle_keys owner parcycle_keys;
revoke all on database parcycle_keys from public;
