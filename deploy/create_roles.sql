-- Once for each PostgreSQL server (15 to 18), with psql as an administrator:
--   OWNER_PASSWORD=... SERVICE_PASSWORD=... ERASER_PASSWORD=... psql -X -v ON_ERROR_STOP=1 -f deploy/create_roles.sql postgres
-- parcycle_owner owns the schema and migrates it; parcycle_service serves, and may only add to the record; parcycle_eraser may
-- delete sealed personal data, which the service does as it when a participant is erased.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
\getenv eraser_password ERASER_PASSWORD
create role parcycle_owner login password :'owner_password';
create role parcycle_service login password :'service_password';
create role parcycle_eraser login password :'eraser_password';
grant parcycle_service to parcycle_owner;
create database parcycle owner parcycle_owner;
